#include "guest/boot/init_mode.hpp"

#include <string>

namespace vigil::guest::boot {

Result<InitMode> parse_init_mode(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty() || text == "pid1") return InitMode::pid1;
  if (text == "systemd") return InitMode::systemd;
  return Error(Errc::unsupported, "the image's init mode '" + std::string(text.substr(0, 64)) + "' is neither pid1 nor systemd");
}

}  // namespace vigil::guest::boot
