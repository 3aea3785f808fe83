// What the agent knows of itself, as JSON: the answer to the request "diagnose".
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
};

std::string to_json(const Diagnosis& diagnosis);
/// The answer to the request "logs".
std::string to_json(const supervisor::ServiceOutput& output);

}  // namespace vigil::guest::agent
