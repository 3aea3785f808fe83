#include "host/cli/trace_view.hpp"

#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <string>

namespace vigil::cli {

using nlohmann::json;

namespace {

constexpr std::size_t all_of_them = std::numeric_limits<std::size_t>::max();

std::string address_text(const json& frame) {
  if (const auto offset = frame.find("offset"); offset != frame.end() && offset->is_string()) return text(frame, "offset");
  char digits[24];
  std::snprintf(digits, sizeof digits, "0x%llx", static_cast<unsigned long long>(number(frame, "offset")));
  return digits;
}

std::string place_text(const json& frame) {
  const auto module = text(frame, "module");
  return module.empty() ? address_text(frame)
                        : module.substr(module.rfind('/') + 1) + "+" + address_text(frame);   // npos + 1 == 0: no folder
}

void print_frames(const json& thread, std::size_t most) {
  const auto frames = thread.value("frames", json::array());
  if (!frames.is_array()) return;
  std::size_t shown = 0;
  for (; shown < std::min(most, frames.size()); ++shown) {
    const auto& frame = frames[shown];
    const auto function = text(frame, "function"), id = text(frame, "build_id");
    std::printf("    #%-2zu %s%s%s%s\n", shown, function.empty() ? place_text(frame).c_str() : function.c_str(),
                function.empty() ? "" : ("  " + place_text(frame)).c_str(), function.empty() && !id.empty() ? "  build id " : "",
                function.empty() ? id.c_str() : "");
  }
  if (shown < frames.size()) std::printf("        and %zu more: --trace\n", frames.size() - shown);
  if (const auto cut = text(thread, "cut"); !cut.empty()) std::printf("        cut off here: %s\n", cut.c_str());
}

void print_other(const json& thread, Detail detail) {
  std::printf("  thread %s %s\n", text(thread, "tid").c_str(), text(thread, "name").c_str());
  print_frames(thread, detail == Detail::whole ? all_of_them : 5);
}

}  // namespace

void print_trace(const json& crash, Detail detail) {
  const auto member = crash.find("trace");
  if (member == crash.end() || !member->is_object()) return;
  const json& trace = *member;
  const auto reason = text(trace, "reason"), address = text(trace, "fault_address");
  std::printf("  thread %s %s%s%s%s%s\n", text(trace, "tid").c_str(), text(trace, "thread").c_str(), reason.empty() ? "" : ": ",
              reason.c_str(), address.empty() ? "" : " at address ", address.c_str());
  print_frames(trace, detail == Detail::whole ? all_of_them : 16);
  const auto others = trace.value("threads", json::array());
  if (!others.is_array()) return;
  const std::size_t most = detail == Detail::whole ? others.size() : std::min<std::size_t>(others.size(), 8);
  for (std::size_t i = 0; i < most; ++i) print_other(others[i], detail);
  const auto left_out = static_cast<long long>(others.size() - most) + static_cast<long long>(number(trace, "threads_left_out"));
  if (left_out > 0) std::printf("  and %lld more threads\n", left_out);
}

void print_victim(const json& crash) {
  const auto member = crash.find("victim");
  if (member == crash.end() || !member->is_object()) return;
  const json& victim = *member;
  std::printf("  was %s in %s, uid %s, %s threads, %s open descriptors, %s KiB resident (peak %s)\n", text(victim, "command_line").c_str(),
              text(victim, "directory").c_str(), text(victim, "uid").c_str(), text(victim, "threads").c_str(),
              text(victim, "descriptors").c_str(), text(victim, "resident_kib").c_str(), text(victim, "peak_kib").c_str());
}

}  // namespace vigil::cli
