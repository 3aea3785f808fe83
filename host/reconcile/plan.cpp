#include "host/reconcile/plan.hpp"

#include <algorithm>
#include <map>

namespace vigil::reconcile {

namespace {

constexpr UnixUs in_us(std::chrono::seconds duration) { return static_cast<UnixUs>(std::chrono::microseconds(duration).count()); }

class Planner {
public:
  Planner(const Seen& seen, const Knowledge& knowledge) : seen_(seen), knowledge_(knowledge) {
    for (const auto& each : knowledge.instances) known_[each.instance] = &each;
    for (const auto& each : seen.run_dirs) run_dirs_[each.instance] = &each;
    for (const auto& each : seen.processes) by_pid_[each.process.pid] = &each;
  }

  Plan make() {
    for (const auto& process : seen_.processes) judge(process);
    for (const auto& dir : seen_.run_dirs) judge(dir);
    for (const auto& dir : seen_.instance_dirs) judge(dir);
    for (const auto& group : seen_.groups) judge_group(group);
    for (const auto& each : seen_.set_aside) judge(each);
    return std::move(plan_);
  }

private:
  const Known* known(const InstanceId& id) const {
    const auto found = known_.find(id);
    return found == known_.end() ? nullptr : found->second;
  }
  const RunDirSeen* run_dir(const InstanceId& id) const {
    const auto found = run_dirs_.find(id);
    return found == run_dirs_.end() ? nullptr : found->second;
  }
  bool is_ending(const Known& instance) const { return knowledge_.now_unix_us < instance.idle_since_unix_us + in_us(ending_grace); }
  bool is_foreign(const RunDirSeen& dir) const { return !dir.owner.empty() && dir.owner != seen_.state_dir; }
  bool has_process(const InstanceId& id) const {
    return std::ranges::any_of(seen_.processes, [&](const ProcessSeen& each) { return each.instance == id; });
  }
  void spare(const InstanceId& id, std::string reason) { plan_.spared.push_back({id, std::move(reason)}); }
  void act(Act what, const InstanceId& id, std::string reason) { plan_.actions.push_back({what, id, {}, {}, "", std::move(reason)}); }

    /// Why nothing at all that bears this id may be touched now; empty: it may.
  std::string why_spared(const InstanceId& id) const {
    const auto* const instance = known(id);
    if (instance != nullptr && instance->busy) return "in use";
    if (instance != nullptr && is_ending(*instance)) return "it has ended a moment ago";
    if (instance == nullptr && !knowledge_.store_knew_any)
      return "the store is new and knows no instance at all: was it lost? Put it back, or move these away";
    return "";
  }

  static std::string reason_of(const Known* instance) {
    if (instance == nullptr) return "no row of the store knows this id";
    return instance->removed ? "its instance was removed" : "its instance has no run that goes on";
  }

    // ---- processes

    /// One that the open run did not start: it is older than the run's shim, and neither it nor its parent is that shim.
  bool is_of_earlier_run(const ProcessSeen& each) const {
    const auto* const dir = run_dir(each.instance);
    if (dir == nullptr || dir->shim.pid == 0 || !dir->shim_lives || is_foreign(*dir)) return false;
    return each.process != dir->shim && each.parent != dir->shim.pid && each.process.start_ticks < dir->shim.start_ticks;
  }

    /// A claim by the command line counts when nothing speaks against it.
  bool is_ours(const ProcessSeen& each) const {
    if (each.claim == Claim::state) return true;
    const auto* const dir = run_dir(each.instance);
    if (dir == nullptr || is_foreign(*dir)) return false;
    const auto parent = by_pid_.find(each.parent);
    const bool is_orphan = each.parent == 1;
    return is_orphan || (parent != by_pid_.end() && parent->second->claim == Claim::state && parent->second->instance == each.instance);
  }

  void judge(const ProcessSeen& each) {
    if (!is_ours(each)) return spare(each.instance, "process " + std::to_string(each.process.pid) + " may be of another state directory");
    const auto* const instance = known(each.instance);
    const bool busy = instance != nullptr && instance->busy;
    if (busy && is_of_earlier_run(each)) return end(each, "it is older than the run that goes on, and not of it");
    const auto spared = why_spared(each.instance);
    if (busy) return;
    if (!spared.empty()) return spare(each.instance, spared);
        // The shim ends its VMM and device and writes down how they ended: they are asked only when it is not there.
    const auto parent = by_pid_.find(each.parent);
    if (parent != by_pid_.end() && parent->second->program == Program::shim && parent->second->instance == each.instance) return;
    end(each, reason_of(instance));
  }

  void end(const ProcessSeen& each, std::string reason) {
    const bool again = knowledge_.told.contains(each.process.pid);
    if (again) reason += "; it did not end when it was asked to";
    plan_.actions.push_back(
        {again ? Act::kill_process : Act::end_process, each.instance, each.process, each.program, "", std::move(reason)});
  }

    // ---- files

  void judge(const RunDirSeen& dir) {
    const auto* const instance = known(dir.instance);
    if (instance != nullptr && instance->busy) return;
    if (is_foreign(dir)) return spare(dir.instance, "its run directory belongs to the state directory " + dir.owner);
    if (has_process(dir.instance)) return;                          // they go first
    if (dir.shim_lives)
      return spare(dir.instance, "its shim (pid " + std::to_string(dir.shim.pid) + ") lives, and writes to another state directory");
    const auto spared = why_spared(dir.instance);
    if (!spared.empty()) return spare(dir.instance, spared);
    act(Act::remove_run_dir, dir.instance, reason_of(instance));
  }

  void judge(const InstanceDirSeen& dir) {
    const auto* const instance = known(dir.instance);
    if (instance != nullptr && instance->busy) return;
    const bool is_owned = instance != nullptr && !instance->removed;
    if (is_owned && !dir.has_draft && !dir.is_creating) return;
    if (has_process(dir.instance)) return;
    if (instance == nullptr && dir.is_creating)
      return act(Act::delete_unborn, dir.instance, "the daemon ended while it created this instance");
    const auto spared = why_spared(dir.instance);
    if (!spared.empty()) return spare(dir.instance, spared);
    if (is_owned) return act(Act::delete_draft, dir.instance, "nobody is making it any more");
    if (instance != nullptr)
      return act(Act::finish_removal, dir.instance, "its instance was removed, and the daemon ended before its files were");
    act(Act::set_aside, dir.instance, reason_of(nullptr));
  }

    /// Groups of all daemons stand side by side: only an id that is ours for other reasons is looked at.
  void judge_group(const InstanceId& id) {
    const auto* const instance = known(id);
    if (instance == nullptr || instance->busy || is_ending(*instance) || has_process(id)) return;
    act(Act::sweep_group, id, reason_of(instance));
  }

  void judge(const SetAsideSeen& each) {
    if (knowledge_.now_unix_us < each.since_unix_us + in_us(set_aside_for)) return;
    plan_.actions.push_back(
        {Act::delete_set_aside, InstanceId(), {}, {}, each.name, "it was set aside a week ago, and nobody has asked for it"});
  }

  const Seen& seen_;
  const Knowledge& knowledge_;
  std::map<InstanceId, const Known*> known_;
  std::map<InstanceId, const RunDirSeen*> run_dirs_;
  std::map<std::int64_t, const ProcessSeen*> by_pid_;
  Plan plan_;
};

}  // namespace

Plan plan(const Seen& seen, const Knowledge& knowledge) { return Planner(seen, knowledge).make(); }

}  // namespace vigil::reconcile
