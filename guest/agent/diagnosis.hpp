// What the agent knows of itself and its machine, as JSON: the answer to the request "diagnose".
#pragma once

#include "guest/supervisor/supervisor.hpp"
#include "shared/protocol/report.hpp"

#include <string>
#include <vector>

namespace vigil::guest::agent {

struct Diagnosis {
  std::string version, build_id, kernel, link;
  MonoUs now_us = 0;
  std::size_t reports_waiting = 0;
  std::uint64_t reports_dropped = 0, digests_left_out = 0, console_lost = 0, orphans = 0, cores_refused = 0;
  std::vector<std::string> problems;
  std::vector<protocol::ServiceReport> services;
  bool was_ready = false;
  protocol::HealthReport health;
  protocol::NetReport net;
};

/// The state that the services give the VM, by the table of the contracts: booting, ready, degraded, unready or failed.
std::string_view state_of(const std::vector<protocol::ServiceReport>& services, bool was_ready);

std::string to_json(const Diagnosis& diagnosis);
/// The answer to the request "logs".
std::string to_json(const supervisor::ServiceOutput& output);

}  // namespace vigil::guest::agent
