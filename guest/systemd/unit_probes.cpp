#include "guest/systemd/unit_probes.hpp"

#include "guest/process/process_end.hpp"
#include "guest/process/small_file.hpp"
#include "shared/service_spec/service_spec.hpp"

#include <utility>

namespace vigil::guest::systemd {
namespace {

constexpr const char* cgroup_root = "/sys/fs/cgroup";

protocol::Cause wrong_wish(const std::string& file, const std::string& key, const std::string& why) {
  return protocol::make_cause(protocol::CauseCode::service_spec_invalid, {{"file", file}, {"key", key}}, {why});
}

/// Its processes: those of the group that its main process is in; without one those of the group that systemd makes for such a unit.
process::ProcessGroup group_of(const UnitFacts& facts) {
  std::string group = "/system.slice/" + facts.id;
  if (facts.main_pid > 0) {
    const auto own = process::read_small_file("/proc/" + std::to_string(facts.main_pid) + "/cgroup");
    group = own ? process::parse_cgroup_v2(*own) : std::string();
  }
  const bool is_of_a_group = group.size() > 1 && process::read_small_file(cgroup_root + group + "/cgroup.procs").has_value();
  return {is_of_a_group ? cgroup_root + group : std::string(), facts.main_pid};
}

}  // namespace

std::variant<ProbeWishes, protocol::Cause> parse_probe_wishes(const std::string& unit_file, const std::string& ready,
                                                              const std::string& ready_timeout) {
  if (ready.empty() && !ready_timeout.empty()) return wrong_wish(unit_file, "ReadyTimeout", "there is no Ready= beside it");
  if (ready.empty()) return ProbeWishes{};
  // As a service file would say it: one reader for both.
  const std::string timeout = ready_timeout.empty() ? "" : R"(,"ready_timeout_s":)" + ready_timeout;
  const auto set =
      service_spec::parse_service_specs({{"/unit.json", R"({"name":"unit","exec":["/"],"ready":)" + ready + timeout + "}", {}}});
  if (set.services.size() != 1 || !set.errors.empty()) {
    const bool is_explained = !set.errors.empty() && !set.errors.front().evidence.empty();
    const std::string key = is_explained
                                ? protocol::field_text(set.errors.front(), "key").value_or("") + ": " + set.errors.front().evidence.front()
                                : "it is not one value";
    return wrong_wish(unit_file, "Ready", key + "; write it as \"ready\" is written in a service file, on one line");
  }
  ProbeWishes wishes{set.services.front().ready, set.services.front().ready_timeout, ready + "\n" + ready_timeout};
  for (const auto& probe : wishes.probes)
    if (std::holds_alternative<service_spec::NotifyFdProbe>(probe) || std::holds_alternative<service_spec::SdNotifyProbe>(probe))
      return wrong_wish(unit_file, "Ready", "notify-fd and sd-notify are systemd's affair: Type=notify in [Service]");
  return wishes;
}

UnitProbes::UnitProbes(ProbeWishes wishes, const ServiceName& service, readiness::ProbeTools& tools, std::function<void()> changed)
    : wishes_(std::move(wishes)), service_(service), tools_(tools), changed_(std::move(changed)) {}

void UnitProbes::follow(const UnitFacts& facts) {
  const bool is_active = facts.active_state == "active" || facts.active_state == "reloading";
  std::pair run{facts.invocation, facts.main_pid};
  if (is_active && set_ && run == run_) return;
  set_.reset();
  deadline_.cancel();
  is_overdue_ = false;
  run_ = std::move(run);
  if (is_active) begin(facts);
}

void UnitProbes::begin(const UnitFacts& facts) {
  set_.emplace(wishes_.probes, service_, tools_, changed_);
  deadline_ = tools_.loop.after(wishes_.timeout * tools_.deadline_scale, [this] {
    if (passed()) return;
    is_overdue_ = true;
    changed_();
  });
  set_->begin(group_of(facts));
}

std::optional<protocol::Cause> UnitProbes::cause() const {
  if (!set_ || passed()) return std::nullopt;
  return is_overdue_ ? set_->timeout_cause() : set_->finding();
}

}  // namespace vigil::guest::systemd
