// One instance: its state, its current run, its deadlines. Everything that happens to it goes through the pipeline; what must be done comes back as effects.
//
// Thread: the event thread. stop() before it is destroyed.
#pragma once

#include "host/async/task_group.hpp"
#include "host/daemon/deadlines.hpp"
#include "host/daemon/event_pipeline.hpp"
#include "host/daemon/state_snapshot.hpp"
#include "host/daemon/vm_run.hpp"
#include "host/store/restore.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace vigil::daemon {

class VmActor final : public EventSubject, private RunOwner {
  public:
    /// A new one (empty state), or one replayed from the store.
    VmActor(RunHost& host, EventPipeline& pipeline, store::Store& store, InstanceId id, store::Restored restored);
    ~VmActor() override;

    Result<void> create(machine::InstanceSpec spec);
    Result<RunNumber> start(const std::string& actor);
    Result<void> request_stop(machine::StopRequested request);
    /// As VmControl::ask_guest.
    void ask_guest(api::GuestQuestion question, VmRun::GuestAnswer done);
    /// As VmControl::open_stream.
    void open_stream(std::string opening, std::string first, VmRun::StreamOpened done);
    /// The black box of a run that has ended is not written yet.
    bool is_packing() const { return packing_ != 0; }
    /// What somebody, or a policy, says about its policies.
    Result<void> record_policy(machine::EventBody body) { return pipeline_.record(*this, event(std::move(body))); }
    Result<void> mark_removed(const std::string& actor);
    /// After a restart of the daemon: takes up a run that had not ended, arms deadlines, does again what was pending.
    void resume();
    /// What was found beside it, and is not its own any more.
    void reconciled(machine::Reconciled what) { happened(std::move(what)); }
    /// The host was rebooted: starts it, once what ran before has been put away.
    void autostart();
    boost::asio::awaitable<void> stop();

    const machine::VmState& known() const { return state_; }
    /// A run is open, or what it left is being put away: whatever bears its name is in use.
    bool is_busy() const { return run_ != nullptr || packing_ != 0 || open_when_retired_; }
    bool is_running() const { return state_.run && !state_.run->end; }
    /// No run is open any more, and what has ended is in its black box: files may be touched. Called at once when that is so already.
    void when_idle(std::function<void()> idle);

    machine::VmState& state() override { return state_; }
    std::vector<std::string> console_tail() const override;

  private:
    void committed(const std::vector<machine::Effect>& effects, const std::set<Stream>& reported, std::size_t events) override;
    void reports_refused() override;

    const machine::VmState& run_state() const override { return state_; }
    const std::map<std::string, std::string>& secrets() const override { return secrets_; }
    void happened(machine::EventBody body) override;
    guest_link::TokenCheck check_token(const BootId& boot, const std::string& token) override;
    Result<void> remember_token(const BootId& boot, const std::string& token) override;
    Seq acknowledged(const BootId& boot, Epoch epoch) override;

    machine::VmEvent event(machine::EventBody body) const;
    RunNumber run_number() const { return state_.run ? state_.run->number : RunNumber(0); }
    void log_state();
    void carry_out(const machine::Effect& effect);
    void open_run();
    void start_next(const std::string& actor);
    void take_kept_secrets();
    void autostart_when_idle();
    boost::asio::awaitable<void> retire();
    void box_up(machine::VmState ended);
    boost::asio::awaitable<void> pack(machine::VmState ended);
    void remove_run_dir();
    void tell_idle();
    std::vector<std::string> secret_values() const;

    RunHost& host_;
    EventPipeline& pipeline_;
    store::Store& store_;
    InstanceId id_;
    machine::VmState state_;
    std::map<std::string, std::string> secrets_;   // on the disk they are sealed (kept_secrets)
    std::unique_ptr<VmRun> run_;
    std::optional<protocol::RunState> logged_;
    bool open_when_retired_ = false, retiring_ = false, autostart_ = false;
    int packing_ = 0;                              // black boxes that are being written
    std::vector<std::function<void()>> idle_waiters_;
    StateSnapshot snapshot_;
    Deadlines deadlines_, next_start_;
    async::TaskGroup tasks_;
};

}  // namespace vigil::daemon
