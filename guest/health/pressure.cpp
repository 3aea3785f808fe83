#include "guest/health/pressure.hpp"

#include "guest/process/small_file.hpp"

#include <charconv>
#include <string>

namespace vigil::guest::health {
namespace {

/// Of "some avg10=1.25 avg60=..": 12. The kernel prints percent with two decimals.
std::optional<std::uint32_t> average_permille(std::string_view text, std::string_view kind) {
  const std::string key = std::string(kind) + " avg10=";
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view number = text.substr(at + key.size());
  std::uint32_t percent = 0, tenths = 0;
  const char* const end = number.data() + number.size();
  const auto whole = std::from_chars(number.data(), end, percent);
  if (whole.ec != std::errc{} || percent > 100) return std::nullopt;
  if (whole.ptr + 1 < end && *whole.ptr == '.') std::from_chars(whole.ptr + 1, whole.ptr + 2, tenths);
  return percent * 10 + tenths;
}

}  // namespace

std::optional<StallShares> parse_pressure(std::string_view text) {
  const auto some = average_permille(text, "some");
  if (!some) return std::nullopt;
  return StallShares{*some, average_permille(text, "full").value_or(0)};
}

std::optional<protocol::Pressure> read_pressure() {
  const auto read_one = [](const char* name) {
    return parse_pressure(process::read_small_file(std::string("/proc/pressure/") + name, 512).value_or(""));
  };
  const auto cpu = read_one("cpu"), memory = read_one("memory"), io = read_one("io");
  if (!cpu || !memory || !io) return std::nullopt;
  return protocol::Pressure{cpu->some_permille, memory->some_permille, memory->full_permille, io->some_permille, io->full_permille};
}

}  // namespace vigil::guest::health
