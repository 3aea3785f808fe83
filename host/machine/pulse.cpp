#include "host/machine/pulse.hpp"

#include <cstdio>

namespace vigil::machine {

namespace {

constexpr std::uint64_t enough_pings = 3, enough_looks = 3;
constexpr std::uint64_t starved_span_ms = 8'000, waited_percent = 50, ran_percent = 25;
constexpr std::uint64_t short_percent = 10;      // of a host on which a thread waits for a processor, also one that its group keeps from it
constexpr std::uint64_t enough_ran_ms = 1'000;   // a guest that had a processor for so long and did not move is not waiting for one

bool is_stopped(const std::string& letter) { return letter == "T" || letter == "t"; }

bool is_mute(const PulseTaken& taken) { return taken.pings >= enough_pings || taken.pings == 0; }

bool is_waiting(const PulseTaken& taken) { return taken.waited_ms * 100 >= taken.span_ms * waited_percent; }

/// How long a thread waited is known for sure only when its wait is over; the host's pressure tells of those that wait on.
bool host_is_short(const PulseTaken& taken) { return !taken.host_busy_percent || *taken.host_busy_percent >= short_percent; }

bool got_no_processor(const PulseTaken& taken) {
  return host_is_short(taken) && taken.span_ms >= starved_span_ms && is_waiting(taken) && taken.ran_ms * 100 <= taken.span_ms * ran_percent;
}

bool stands_still(const PulseTaken& taken) {
  return taken.vmm_status == "running" && taken.looks_stuck >= enough_looks && (taken.ran_ms >= enough_ran_ms || !is_waiting(taken));
}

std::string tenths(std::uint64_t milliseconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(milliseconds) / 1000.0);
  return text;
}

std::string silence_of_link(const PulseTaken& taken) {
  const std::string silent = "nothing has come over the link for " + tenths(taken.silent_ms);
  if (taken.pings == 0) return "there is no link; " + silent;
  return std::to_string(taken.pings) + (taken.pings == 1 ? " ping" : " pings") + " over the open link unanswered; " + silent;
}

}  // namespace

Pulse judge_pulse(const PulseTaken& taken) {
  if (taken.answers) return Pulse::well;
  if (is_stopped(taken.vmm_process)) return Pulse::silent;   // vmm.stopped says it
  if (is_mute(taken) && stands_still(taken)) return Pulse::stuck;
  return got_no_processor(taken) ? Pulse::starved : Pulse::silent;
}

std::vector<std::string> pulse_lines(const PulseTaken& taken) {
  std::vector<std::string> lines{silence_of_link(taken)};
  lines.push_back("the console has said nothing for " + tenths(taken.console_silent_ms));
  if (taken.span_ms > 0)
    lines.push_back("in " + tenths(taken.span_ms) + " the VMM's busiest thread had a processor for " + tenths(taken.ran_ms) + " and waited for one for " +
                    tenths(taken.waited_ms));
  if (taken.host_busy_percent) lines.push_back("the host's processors were short " + std::to_string(*taken.host_busy_percent) + " % of the last ten seconds");
  if (taken.looks_stuck > 0) lines.push_back(taken.processors + ", at " + std::to_string(taken.looks_stuck + 1) + " looks");
  else if (!taken.processors.empty()) lines.push_back("its processors run: " + taken.processors);
  if (taken.vmm_status.empty()) lines.push_back("the VMM does not answer its control socket");
  else if (taken.vmm_status != "running") lines.push_back("the VMM says that it is " + taken.vmm_status);
  if (is_stopped(taken.device_process)) lines.push_back("the process of the vsock device is stopped");
  return lines;
}

}  // namespace vigil::machine
