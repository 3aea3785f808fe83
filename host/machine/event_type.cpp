#include "host/machine/event_names.hpp"
#include "shared/base/overloaded.hpp"

#include <algorithm>

namespace vigil::machine {

namespace {

std::string_view host_type(const EventBody& body) {
  return std::visit(Overloaded{
                        [](const Created&) { return std::string_view("created"); },
                        [](const StartRequested&) { return std::string_view("start_requested"); },
                        [](const VmmStarted&) { return std::string_view("vmm_started"); },
                        [](const StartFailed&) { return std::string_view("start_failed"); },
                        [](const LinkUp&) { return std::string_view("link_up"); },
                        [](const LinkLost&) { return std::string_view("link_lost"); },
                        [](const LinkRefused&) { return std::string_view("link_refused"); },
                        [](const EgressRefused&) { return std::string_view("egress_refused"); },
                        [](const ClockSynced&) { return std::string_view("clock_synced"); },
                        [](const ConsoleFinding&) { return std::string_view("console_finding"); },
                        [](const Reported&) { return std::string_view(); },
                        [](const DeadlinePassed&) { return std::string_view("deadline_passed"); },
                        [](const StopRequested&) { return std::string_view("stop_requested"); },
                        [](const VmmExited&) { return std::string_view("vmm_exited"); },
                        [](const DeviceExited&) { return std::string_view("device_exited"); },
                        [](const VmmHalted&) { return std::string_view("vmm_halted"); },
                        [](const ShimLost&) { return std::string_view("shim_lost"); },
                        [](const Adopted&) { return std::string_view("adopted"); },
                        [](const StateChanged&) { return std::string_view("state"); },
                        [](const Removed&) { return std::string_view("removed"); },
                        [](const LogsLost&) { return std::string_view("logs_lost"); },
                        [](const Reconciled&) { return std::string_view("reconciled"); },
                        [](const RestartsEnded&) { return std::string_view("restarts_ended"); },
                        [](const PulseTaken&) { return std::string_view("pulse"); },
                        [](const HoldSet&) { return std::string_view("hold_set"); },
                        [](const LeaseSet&) { return std::string_view("lease_set"); },
                        [](const PolicyPaused&) { return std::string_view("policy_paused"); },
                        [](const PolicyDecided&) { return std::string_view("policy_decided"); },
                        [](const TokenBound&) { return std::string_view("token_bound"); },
                        [](const ReportRepeated&) { return std::string_view("report_repeated"); },
                    },
                    body);
}

}  // namespace

bool is_host_type(std::string_view type) { return std::find(std::begin(host_types), std::end(host_types), type) != std::end(host_types); }

std::string event_type(const EventBody& body) {
  const auto* reported = std::get_if<Reported>(&body);
  if (reported == nullptr) return std::string(host_type(body));
  const auto type = protocol::report_type(reported->report.body);
  const bool poses = is_host_type(type) || type.empty() || type == other_type;
  return poses ? std::string(other_type) : type;
}

}  // namespace vigil::machine
