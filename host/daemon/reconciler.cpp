#include "host/daemon/reconciler.hpp"

#include "host/async/blocking.hpp"
#include "host/cgroup/cgroup.hpp"
#include "host/daemon/box_packing.hpp"
#include "host/daemon/evidence.hpp"
#include "host/reconcile/look.hpp"

#include <spdlog/spdlog.h>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>

namespace vigil::daemon {

namespace asio = boost::asio;
using reconcile::Act;

namespace {

constexpr std::chrono::seconds until_asked_have_ended{7};   // a shim gives its VMM five

const char* text_of(reconcile::Program program) {
  switch (program) {
    case reconcile::Program::shim: return "vigil-shim";
    case reconcile::Program::vmm: return "VMM";
    case reconcile::Program::device: return "vsock device";
  }
  return "?";
}

std::set<InstanceId> ids_in(const reconcile::Seen& seen) {
  std::set<InstanceId> ids(seen.groups.begin(), seen.groups.end());
  for (const auto& each : seen.processes) ids.insert(each.instance);
  for (const auto& each : seen.run_dirs) ids.insert(each.instance);
  for (const auto& each : seen.instance_dirs) ids.insert(each.instance);
  return ids;
}

Error failed_to_delete(const std::filesystem::path& path, const std::error_code& failure) {
  return Error(Errc::io, "delete " + path.string() + ": " + failure.message());
}

}  // namespace

Reconciler::Reconciler(RunHost& host, VmRegistry& registry, store::Store& store, events::EventBus& bus, std::chrono::seconds every)
    : host_(host), registry_(registry), store_(store), bus_(bus), every_(every), tasks_(host.io.get_executor()) {}

void Reconciler::start() {
  tasks_.spawn("reconcile", [this] { return go_on_looking(); });
}

asio::awaitable<void> Reconciler::stop() { co_await tasks_.stop(); }

asio::awaitable<void> Reconciler::go_on_looking() {
  asio::steady_timer timer(host_.io);
  for (;;) {
    co_await look_once();
    timer.expires_after(some_end_ ? std::min(every_, until_asked_have_ended) : every_);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> Reconciler::look_once() {
  const reconcile::Grounds grounds{host_.places.state, host_.places.run, host_.places.strays()};
  const std::function<reconcile::Seen()> work = [grounds] { return reconcile::look(grounds); };
  const auto seen = co_await async::run_blocking<reconcile::Seen>(host_.pool, work);
  reconcile::Knowledge knowledge;
  knowledge.instances = registry_.known_of(ids_in(seen));
  knowledge.store_knew_any = registry_.knew_any();
  knowledge.now_unix_us = host_.clock.unix_us();
  std::map<std::int64_t, std::uint64_t> still_there;
  for (const auto& each : seen.processes) {
    const auto told = told_.find(each.process.pid);
    if (told == told_.end() || told->second != each.process.start_ticks) continue;
    still_there.insert(*told);
    knowledge.told.insert(told->first);
  }
  told_ = std::move(still_there);
  some_end_ = false;
  auto plan = reconcile::plan(seen, knowledge);
  tell_spared(plan);
  for (auto& action : plan.actions) {
    auto next = std::move(action);
    co_await carry_out(std::move(next));
  }
}

asio::awaitable<void> Reconciler::carry_out(reconcile::Action action) {
  if (action.act == Act::end_process || action.act == Act::kill_process) {
    signal(action);
    co_return;
  }
  Result<std::string> done = std::string();
  if (action.act == Act::set_aside) {
    auto archived = co_await archive_stray(action.instance, action.reason);
    done = std::move(archived);
  } else {
    done = do_at_once(action);
  }
  if (!done) {
    spdlog::warn("reconcile.failed vm={} reason=\"{}\" err=\"{}\"", action.instance.value(), action.reason, done.error().message());
    co_return;
  }
  const auto path = *done;
  switch (action.act) {
    case Act::remove_run_dir: tell(action, {"run_directory", path, "removed", action.reason}); break;
    case Act::finish_removal: tell(action, {"instance_directory", path, "archived", action.reason}); break;
    case Act::set_aside: tell(action, {"instance_directory", path, "set_aside", action.reason}); break;
    case Act::delete_unborn: tell(action, {"instance_directory", path, "removed", action.reason}); break;
    case Act::delete_draft: tell(action, {"draft", path, "removed", action.reason}); break;
    case Act::delete_set_aside: tell(action, {"set_aside", path, "removed", action.reason}); break;
    case Act::sweep_group:   // most are gone already, and one that still has a process stays: no news
    case Act::end_process:
    case Act::kill_process: break;
  }
}

void Reconciler::signal(const reconcile::Action& action) {
  const bool kill = action.act == Act::kill_process;
  const auto sent = shim::signal_process(action.process, kill ? SIGKILL : SIGTERM);
  if (!sent) return;   // it has ended since
  told_[action.process.pid] = action.process.start_ticks;
  some_end_ = true;
  const auto subject =
      "pid " + std::to_string(action.process.pid) + " (" + text_of(action.program) + " of " + action.instance.value() + ")";
  tell(action, {"process", subject, kill ? "killed" : "ended", action.reason});
}

/// Files of an id whose processes are gone. Gives the path that it was about.
Result<std::string> Reconciler::do_at_once(const reconcile::Action& action) {
  std::error_code failure;
  const auto& places = host_.places;
  const auto remove = [&](const std::filesystem::path& path) -> Result<std::string> {
    std::filesystem::remove_all(path, failure);
    if (failure) return failed_to_delete(path, failure);
    return path.string();
  };
  switch (action.act) {
    case Act::remove_run_dir: return remove(places.run_dir(action.instance));
    case Act::delete_unborn: return remove(places.instance(action.instance));
    case Act::delete_draft: end_creation(places, action.instance); return remove(places.instance(action.instance) / "disk.raw.new");
    case Act::delete_set_aside: return remove(places.strays() / action.name);
    case Act::sweep_group: cgroup::sweep_groups("vigil-" + action.instance.value() + "-"); return std::string();
    case Act::finish_removal: {
      TRY_VOID(archive_and_delete(places, action.instance));
      return places.instance(action.instance).string();
    }
    case Act::set_aside:
    case Act::end_process:
    case Act::kill_process: break;
  }
  return Error(Errc::internal, "not a file's action");
}

asio::awaitable<Result<std::string>> Reconciler::archive_stray(InstanceId id, std::string reason) {
  const std::function<Result<std::string>()> work = [places = host_.places, id, reason,
                                                     now = host_.clock.unix_us()]() -> Result<std::string> {
    TRY_VOID(pack_stray_runs(places, id, reason));
    drop_old_runs(places, id, 0);
    return set_aside(places, id, now);
  };
  auto moved = co_await async::run_blocking<Result<std::string>>(host_.pool, work);
  co_return moved;
}

/// As an event of the instance that it was beside; of one that the store does not know, as an event of no instance.
void Reconciler::tell(const reconcile::Action& action, machine::Reconciled what) {
  spdlog::warn("reconciled vm={} what={} subject=\"{}\" action={} reason=\"{}\"", action.instance.value(), what.what, what.subject,
               what.action, what.reason);
  if (auto* const vm = registry_.actor_of(action.instance)) return vm->reconciled(std::move(what));
  machine::VmEvent event{0, InstanceId(), RunNumber(0), host_.clock.unix_us(), host_.clock.mono_us(), std::move(what)};
  auto batch = store_.begin();
  batch.add(event);
  if (const auto committed = batch.commit(); !committed)
    return spdlog::error("reconcile.not_recorded err=\"{}\"", committed.error().message());
  bus_.publish(batch.encoded());
}

void Reconciler::tell_spared(const reconcile::Plan& plan) {
  std::set<std::string> now;
  for (const auto& each : plan.spared) {
    auto text = each.instance.value() + ": " + each.reason;
    if (!spared_.contains(text)) spdlog::warn("reconcile.spared vm={} reason=\"{}\"", each.instance.value(), each.reason);
    now.insert(std::move(text));
  }
  spared_ = std::move(now);
}

}  // namespace vigil::daemon
