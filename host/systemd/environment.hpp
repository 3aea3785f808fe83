// Variables that are for this process alone; private to this folder.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <system_error>

namespace vigil::systemd {

/// Its value, and it is gone from the environment. Empty: it was not there.
inline std::string take_variable(const char* name) {
  const char* const found = std::getenv(name);
  const std::string value = found == nullptr ? "" : found;
  ::unsetenv(name);
  return value;
}

inline std::optional<std::uint64_t> number_of(const std::string& text) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace vigil::systemd
