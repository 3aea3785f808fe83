#include "host/verdict/fingerprint.hpp"

#include "host/machine/crash_cause.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

namespace vigil::verdict {

namespace {

constexpr std::size_t frames_that_count = 5, max_line = 200;

/// FNV-1a, 64 bits: it tells apart, it does not prove.
std::string hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char each : text) hash = (hash ^ static_cast<unsigned char>(each)) * 0x100000001b3ULL;
  std::array<char, 17> hex;
  std::snprintf(hex.data(), hex.size(), "%016llx", static_cast<unsigned long long>(hash));
  return hex.data();
}

std::string frame_text(const protocol::TraceFrame& frame) {
  if (!frame.function.empty()) return frame.function;
  std::array<char, 32> offset;
  std::snprintf(offset.data(), offset.size(), "+0x%llx", static_cast<unsigned long long>(frame.offset));
  return frame.module + offset.data();
}

std::string last_line_without_numbers(const std::string& text) {
  const auto end = text.find_last_not_of('\n');
  if (end == std::string::npos) return "";
  const auto newline = text.rfind('\n', end);
  const auto begin = newline == std::string::npos ? 0 : newline + 1;
  std::string line = text.substr(begin, std::min(end + 1 - begin, max_line));
  std::erase_if(line, [](unsigned char each) { return std::isdigit(each) != 0; });
  return line;
}

}  // namespace

std::string place_of(const machine::CrashRecord& crash) {
  if (!crash.trace || crash.trace->frames.empty()) return "";
  return protocol::blamed_function(*crash.trace).value_or(frame_text(crash.trace->frames.front()));
}

std::string fingerprint(const machine::CrashRecord& crash) {
  const auto& report = crash.report;
  std::string text = report.cause.text + '\n' + report.service + '\n' + report.process + '\n' + protocol::to_text(report.exit) + '\n';
  if (crash.trace && !crash.trace->frames.empty()) {
    const auto count = std::min(crash.trace->frames.size(), frames_that_count);
    for (std::size_t i = 0; i < count; ++i) text += frame_text(crash.trace->frames[i]) + '\n';
  } else {
    text += last_line_without_numbers(report.stderr_tail);
  }
  return hash_of(text);
}

std::string fingerprint(const protocol::Cause& cause) { return hash_of("vm\n" + cause.text); }

}  // namespace vigil::verdict
