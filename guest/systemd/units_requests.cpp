#include "guest/log/log.hpp"
#include "guest/process/process_end.hpp"
#include "guest/process/small_file.hpp"
#include "guest/systemd/units.hpp"

#include <cerrno>
#include <csignal>
#include <utility>

namespace vigil::guest::systemd {

using EndKind = protocol::ByeReport::Kind;

Result<AdoptedUnit*> Units::find_named(const ServiceName& name) const {
  std::string known;
  for (const auto& unit : units_) {
    if (service_name_of(unit->unit()) == name.value()) return unit.get();
    known += " " + service_name_of(unit->unit());
  }
  return Error(Errc::not_found, "no service " + name.value() + "; there are:" + known);
}

void Units::end_machine(EndKind kind) {
  ending_ = kind;
  const std::string target = kind == EndKind::reboot ? "reboot.target" : "poweroff.target";
  const auto by_signal = [kind](const std::string& why) {
    log::warning("systemd.ends_by_signal", {{"err", why}});
    ::kill(1, kind == EndKind::reboot ? SIGRTMIN + 5 : SIGRTMIN + 4);   // systemd(1), "Signals"
  };
  if (!is_connected_) return by_signal("not connected");
  bus_->act("StartUnit", target, "replace-irreversibly", [by_signal](const Result<void>& done) {
    if (!done) by_signal(done.error().message());
  });
}

void Units::stop_all(std::chrono::milliseconds, std::function<void()> on_done) { loop_.post(std::move(on_done)); }

Result<void> Units::request(const ServiceName& name, supervisor::ServiceAction action) {
  TRY(unit, find_named(name));
  if (!is_connected_) return Error(Errc::unavailable, "there is no connection to systemd now");
  if (action == supervisor::ServiceAction::reload && !unit->facts().can_reload)
    return Error(Errc::unsupported, unit->unit() + " cannot be reloaded: it has no ExecReload=; restart it instead");
  const char* const methods[] = {"StartUnit", "StopUnit", "RestartUnit", "ReloadUnit"};
  const char* const method = methods[static_cast<std::size_t>(action)];
  bus_->act(method, unit->unit(), "replace", [method, what = unit->unit()](const Result<void>& done) {
    if (!done) log::warning("systemd.refused", {{"call", method}, {"unit", what}, {"err", done.error().message()}});
  });
  return {};
}

Result<void> Units::signal(const ServiceName& name, int number) {
  TRY(unit, find_named(name));
  if (unit->facts().main_pid <= 0) return Error(Errc::conflict, unit->unit() + " has no main process now");
  if (::kill(unit->facts().main_pid, number) != 0) return Error::from_errno("signal " + unit->unit(), errno);
  return {};
}

void Units::other_died(const process::ProcessEnd& end) {
  const std::string of = unit_of_cgroup(end.cgroup);
  for (const auto& unit : units_)
    if (unit->kind() == AdoptedUnit::Kind::service && (unit->facts().main_pid == end.pid || unit->unit() == of))
      return unit->dumped_core(end);
  const auto* signal = std::get_if<protocol::ExitSignal>(&end.status);
  if (signal == nullptr) return;
  protocol::CrashReport crash;
  crash.crash = "orphan-" + std::to_string(++orphan_crashes_);
  crash.process = end.comm;
  crash.pid = end.pid;
  crash.exit = end.status;
  crash.cause = protocol::make_cause(protocol::CauseCode::service_signalled, {{"signal", protocol::signal_name(signal->signal)}});
  crash.ended_us = end.ended_us;
  sink_.submit(std::move(crash));
}

void Units::unit_failed(const std::string& unit, const std::string& result) {
  if (is_connected_) return;   // it is known already, and better
  AdoptedUnit& adopted = adopt(unit, AdoptedUnit::Kind::service, find(unit) == nullptr || find(unit)->is_essential());
  adopted.facts().active_state = "failed";
  adopted.facts().job = 0;
  adopted.facts().result = result;
  adopted.changed();
}

Result<supervisor::ServiceOutput> Units::output(const ServiceName& name) const {
  TRY(unit, find_named(name));
  return Error(Errc::unsupported, "the journal has it: journalctl -u " + unit->unit());
}

void Units::fetch_output(const ServiceName& name, std::function<void(Result<supervisor::ServiceOutput>)> done) {
  auto unit = find_named(name);
  if (!unit) return done(unit.error());
  words_.ask((*unit)->unit(), {}, [done = std::move(done)](const std::string& words) { done(supervisor::ServiceOutput{words, {}, 0, 0}); });
}

std::string Units::service_of(pid_t pid) const {
  const std::string of =
      unit_of_cgroup(process::parse_cgroup_v2(process::read_small_file("/proc/" + std::to_string(pid) + "/cgroup", 4096).value_or("")));
  return of.empty() || find(of) == nullptr ? std::string() : service_name_of(of);
}

std::string Units::name_process(pid_t pid) const {
  std::string name = service_of(pid);
  if (name.empty()) {
    const auto stat = process::read_stat(pid);
    name = stat ? stat->comm : "a process";
  }
  return name + " (pid " + std::to_string(pid) + ")";
}

std::vector<protocol::ServiceReport> Units::services() const {
  std::vector<protocol::ServiceReport> reports;
  for (const auto& unit : units_) reports.push_back(unit->report());
  return reports;
}

}  // namespace vigil::guest::systemd
