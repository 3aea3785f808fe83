// A daemon, its VMs and the guests in them, told in steps: the real reducer and the real store, and a model of all that is outside of them.
//
// Shape:  a step is one number; what it does follows from it and from the state of the world, so that any list of steps can be carried out, and a list that
//         fails can be made shorter. A crash of the daemon takes what was not committed, the effects that were not carried out and the timers; VMMs, guests and
//         their outboxes stay. Clocks jump, deadlines come late, links break and bring everything again, digests come before, after or instead of reports.
#pragma once

#include "host/machine/reduce.hpp"
#include "host/store/store.hpp"
#include "tests/unit/host/machine/story.hpp"

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace vigil::test {

class World {
public:
  explicit World(std::string store_path);

  /// What it broke, or nothing.
  std::string step(std::uint32_t what);
  /// Stops every VM, lets all come to rest and looks again.
  std::string come_to_rest();
  /// Starts of the daemon at which a VM's state came from a snapshot.
  std::uint32_t shortened() const { return shortened_; }

private:
  struct Guest {
    BootId boot;
    Seq next_seq = 1;
    std::deque<protocol::Report> outbox;  // not acknowledged
    bool link = false, has_token = false, said_bye = false;
    std::size_t stage = 0;  // how far it has booted
    bool web_was_ready = false;
  };
  struct Vmm {
    RunNumber run;
    bool alive = true, has_shim = true;
    Guest guest;
  };
  struct Vm {
    InstanceId id;
    std::string name;
    machine::VmState state;  // the daemon's
    std::map<std::string, MonoUs> timers;  // armed in the daemon
    std::deque<machine::Effect> effects;  // committed, not carried out yet
    std::optional<MonoUs> next_start;
    bool spawning = false;  // StartRequested is committed, the VMM not there yet
    std::optional<Vmm> vmm;  // outside of the daemon
    std::set<std::uint32_t> ready_runs;  // in which its guest has said that all is ready
  };
  using Told = std::tuple<protocol::RunState, protocol::Outcome, std::string>;

  std::uint32_t pick(std::uint32_t n) { return static_cast<std::uint32_t>(random_()) % n; }
  Vm& some_vm() { return vms_[pick(static_cast<std::uint32_t>(vms_.size()))]; }
  machine::VmEvent event_of(const Vm& vm, machine::EventBody body) const;
  void happened(Vm& vm, machine::EventBody body) { queue_.emplace_back(&vm, event_of(vm, std::move(body))); }
  std::string commit();
  std::string check(const Vm& vm);
  std::string check_replay();

  void act(std::uint32_t kind);
  void crash_daemon();
  void resume(Vm& vm);
  void request_start(Vm& vm);
  void carry_out(Vm& vm, const machine::Effect& effect);
  void do_pending(Vm& vm);
  void pass_deadlines(Vm& vm, MonoUs slack);
  void end_vmm(Vm& vm, protocol::ExitStatus exit);
  void tell_end(Vm& vm);

  void guest_does(Vm& vm);
  void report(Vm& vm, protocol::ReportBody body);
  void deliver(Vm& vm);
  void deliver_digest(Vm& vm);

  std::string path_;
  std::unique_ptr<store::Store> store_;
  std::mt19937 random_;
  MonoUs mono_us_ = 50'000'000;
  UnixUs unix_us_ = 1'700'000'000'000'000;
  std::vector<Vm> vms_;
  std::vector<std::pair<Vm*, machine::VmEvent>> queue_;
  std::map<std::pair<InstanceId, RunNumber>, Told> told_;  // ends, as they were announced
  std::map<std::tuple<InstanceId, RunNumber, BootId>, std::set<Seq>> sent_,
      forgotten_;  // reports that guests have made; that were acknowledged, but for health
  std::uint32_t boots_ = 0;
  std::string broken_;
  std::uint32_t shortened_ = 0;
};

}  // namespace vigil::test
