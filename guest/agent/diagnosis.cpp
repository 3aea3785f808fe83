#include "guest/agent/diagnosis.hpp"

#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"
#include "shared/protocol/codec.hpp"

#include <nlohmann/json.hpp>

namespace vigil::guest::agent {

std::string_view state_of(const std::vector<protocol::ServiceReport>& services, bool was_ready) {
  bool all_ready = true, failed = false, degraded = false;
  for (const auto& service : services) {
    const bool works = service.state == protocol::ServiceState::ready || (service.state == protocol::ServiceState::stopped && !service.cause);
    const bool gave_up = service.state == protocol::ServiceState::failed;
    failed = failed || (service.essential && gave_up);
    degraded = degraded || (!service.essential && gave_up);
    all_ready = all_ready && (works || !service.essential);
  }
  if (failed) return "failed";
  if (!all_ready) return was_ready ? "unready" : "booting";
  if (!was_ready) return "booting";
  return degraded ? "degraded" : "ready";
}

std::string to_json(const Diagnosis& diagnosis) {
  auto services = nlohmann::json::array();
  for (const auto& service : diagnosis.services)
    if (const auto body = parse_json(protocol::encode_body(service))) services.push_back(*body);
  const auto health = parse_json(protocol::encode_body(diagnosis.health)), net = parse_json(protocol::encode_body(diagnosis.net));
  const nlohmann::json whole = {
      {"state", state_of(diagnosis.services, diagnosis.was_ready)},
      {"health", health ? *health : nlohmann::json()},
      {"listeners", net ? net->value("listeners", nlohmann::json::array()) : nlohmann::json()},
      {"agent", {{"version", diagnosis.version}, {"build_id", diagnosis.build_id}}},
      {"kernel", diagnosis.kernel},
      {"link", diagnosis.link},
      {"mono_us", diagnosis.now_us},
      {"reports", {{"waiting", diagnosis.reports_waiting}, {"dropped", diagnosis.reports_dropped}}},
      {"console", {{"left_out", diagnosis.digests_left_out}, {"lost", diagnosis.console_lost}}},
      {"orphans", diagnosis.orphans},
      {"cores_refused", diagnosis.cores_refused},
      {"problems", diagnosis.problems},
      {"services", services},
  };
  return dump_json(whole);
}

std::string to_json(const supervisor::ServiceOutput& output) {
  const nlohmann::json whole = {{"stdout_tail_b64", to_base64(output.stdout_tail)}, {"stdout_lost", output.stdout_lost},
                                {"stderr_tail_b64", to_base64(output.stderr_tail)}, {"stderr_lost", output.stderr_lost}};
  return dump_json(whole);
}

}  // namespace vigil::guest::agent
