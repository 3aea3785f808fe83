#include "guest/supervisor/death_facts.hpp"

#include "guest/evidence/output_patterns.hpp"
#include "guest/evidence/stale_lock.hpp"
#include "guest/process/listeners.hpp"
#include "guest/process/process_group.hpp"

#include <algorithm>
#include <csignal>
#include <variant>
#include <vector>

namespace vigil::guest::supervisor {
namespace {

std::vector<std::uint16_t> probed_ports(const service_spec::ServiceSpec& spec) {
  std::vector<std::uint16_t> ports;
  for (const service_spec::ProbeSpec& probe : spec.ready)
    if (const auto port = service_spec::probed_port(probe)) ports.push_back(*port);
  return ports;
}

/// Who listens on `port`, but for `not_these`; empty when nobody does.
std::string holder_of(std::uint16_t port, const DeathScene& scene, const std::vector<pid_t>& not_these) {
  for (const process::Listener& listener : process::read_listeners(port)) {
    const auto pid = process::find_socket_owner(listener.inode, process::all_pids());
    if (pid && std::find(not_these.begin(), not_these.end(), *pid) == not_these.end()) return scene.name_process(*pid);
  }
  return {};
}

std::optional<evidence::OutputFinding> address_complaint(const evidence::ExitFacts& facts) {
  for (const std::string* text : {&facts.stderr_tail, &facts.stdout_tail})
    if (auto finding = evidence::find_in_output(*text); finding && finding->code == protocol::CauseCode::service_port_taken) return finding;
  return std::nullopt;
}

std::optional<evidence::TakenPort> find_taken_port(const evidence::ExitFacts& facts, const DeathScene& scene) {
  const auto complaint = address_complaint(facts);
  if (complaint && !complaint->subject.empty()) {
    const auto port = evidence::port_in_line(complaint->line);
    if (port) return evidence::TakenPort{*port, holder_of(*port, scene, {})};
  }
  if (!complaint && facts.stage != evidence::LifeStage::before_ready) return std::nullopt;
  const std::vector<pid_t> ours = complaint ? std::vector<pid_t>{} : scene.left;   // a worker may have the port while its master fails
  for (const std::uint16_t port : probed_ports(scene.spec))
    if (std::string holder = holder_of(port, scene, ours); !holder.empty()) return evidence::TakenPort{port, std::move(holder)};
  return std::nullopt;
}

std::optional<std::string> guest_oom_victim(const DeathScene& scene) {
  for (const evidence::OomRecord& record : scene.oom_log.records())
    if (record.cgroup.empty() && record.pid == scene.end.pid) return evidence::victim_text(record);
  return std::nullopt;
}

bool was_killed(const protocol::ExitStatus& status) {
  const auto* signal = std::get_if<protocol::ExitSignal>(&status);
  return signal != nullptr && signal->signal == SIGKILL;
}

}  // namespace

evidence::ExitFacts collect_death_facts(const DeathScene& scene) {
  evidence::ExitFacts facts;
  facts.status = scene.end.status;
  facts.stage = scene.stage;
  facts.stdout_tail = scene.out.tail().text();
  facts.stderr_tail = scene.err.tail().text();
  facts.oom = scene.oom.since_baseline(scene.oom_log, {scene.end.pid, scene.end.comm, {}});
  if (!facts.oom && was_killed(facts.status)) facts.guest_oom_victim = guest_oom_victim(scene);
  if (evidence::is_success(facts.status)) {
    if (!scene.left.empty()) facts.left_behind = scene.left.front();
  } else {
    facts.taken_port = find_taken_port(facts, scene);
    facts.stale_lock = evidence::find_stale_lock(facts.stderr_tail);
    if (!facts.stale_lock) facts.stale_lock = evidence::find_stale_lock(facts.stdout_tail);
    if (scene.pressure.forks_were_refused()) facts.refused_forks = scene.spec.name.value();
  }
  return facts;
}

}  // namespace vigil::guest::supervisor
