#include "host/vmm/firecracker/version.hpp"

#include <charconv>
#include <cstdio>
#include <memory>

namespace vigil::vmm::firecracker {

namespace {

constexpr Version serial_since{1, 14, 0};
constexpr std::size_t max_line = 256;

/// One number and the dot before it, unless it is the first.
bool take_number(std::string_view& text, int& number, bool first) {
  if (!first) {
    if (!text.starts_with('.')) return false;
    text.remove_prefix(1);
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

std::string first_line_of(const std::string& program) {
  using Pipe = std::unique_ptr<FILE, int (*)(FILE*)>;
  const Pipe output(::popen(("'" + program + "' --version </dev/null 2>/dev/null").c_str(), "re"), &::pclose);
  char line[max_line] = {};
  if (!output || std::fgets(line, sizeof(line), output.get()) == nullptr) return {};
  std::string text(line);
  return text.substr(0, text.find('\n'));
}

}  // namespace

Result<Version> parse_version(std::string_view text) {
  const auto digit = text.find_first_of("0123456789");
  const bool is_named = text.starts_with("Firecracker v") || digit == 0;
  std::string_view rest = digit == std::string_view::npos ? std::string_view() : text.substr(digit);
  Version version;
  const bool whole = is_named && take_number(rest, version.major, true) && take_number(rest, version.minor, false) &&
                     take_number(rest, version.patch, false);
  if (!whole) return Error(Errc::invalid, "\"" + std::string(text.substr(0, 100)) + "\" is no version of Firecracker");
  return version;
}

std::string to_text(const Version& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." + std::to_string(version.patch);
}

bool has_serial(const Version& version) { return version >= serial_since; }
bool survives_bare_pause(const Version& version) { return !(version.major == 1 && version.minor == 16); }

Result<Version> ask_version(const std::string& program) {
  const std::string line = first_line_of(program);
  if (line.empty()) return Error(Errc::unavailable, program + " --version says nothing: it does not run here, or is not Firecracker");
  auto version = parse_version(line);
  if (!version) return Error(Errc::unavailable, program + " --version: " + version.error().message());
  if (*version < oldest)
    return Error(Errc::unsupported, program + " is version " + to_text(*version) + "; this driver needs " + to_text(oldest) + " or later");
  return version;
}

}  // namespace vigil::vmm::firecracker
