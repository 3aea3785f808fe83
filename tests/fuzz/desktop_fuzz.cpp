// The desktop's door reads what a browser says: host, origin, cookies, permits.
#include "host/desktop/closing.hpp"
#include "host/desktop/head_rules.hpp"
#include "host/desktop/permit.hpp"
#include "tests/fuzz/require.hpp"

#include <array>

using namespace vigil;
using namespace vigil::desktop;
using vigil::fuzz::require;

namespace {

/// The input as lines: path, host, origin, site, mode, cookie; those that are missing are empty.
std::array<std::string, 6> lines_of(std::string_view text) {
  std::array<std::string, 6> lines;
  for (auto& line : lines) {
    const auto end = std::min(text.find('\n'), text.size());
    line = std::string(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = lines_of(text);
  const Head head{lines[0], lines[1], lines[2], lines[3], lines[4]};
  const auto vm = vm_of(head);
  if (const auto* const id = std::get_if<InstanceId>(&vm)) {
    require(parse_instance_id(id->value()).has_value(), "a VM that is served has an id");
    require(head.origin.empty() || head.origin == "http://" + head.host, "no foreign origin is let in");
    require(head.path != "/rfb" || !head.origin.empty(), "a WebSocket says its origin");
    require(head.fetch_site != "cross-site" || head.path == "/", "another site opens the page and nothing else");
  }
  const auto cookie = cookie_of(lines[5], cookie_name).value_or("");
  require(cookie.find(';') == cookie.npos, "a cookie ends at its semicolon");
  const std::string key(key_bytes, 'k');
  const auto look = look_at_permit(key, {Purpose::cookie, InstanceId("vm-0123456789")}, cookie, 1);
  require(look.found == PermitLook::Found::forged, "nobody makes an HMAC without the key");
  require(make_closing(CloseCode::vm_ended, text).reason.size() <= max_reason_bytes, "a reason fits into its frame");
  return 0;
}
