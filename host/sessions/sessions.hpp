// All sign-in sessions: what happens to one is recorded, then told, then worked on.
//
// Shape:  a session is there from open() until its retention ends (the newest 1000 that have ended, 30 days). One that has not ended at a time for each owner, user and provider.
// Errors: Errc::conflict: such a session is under way, or the state forbids it; Errc::not_found. When the log cannot be opened every call gives the reason, and nothing else is hurt.
// Thread: the event thread. stop() before it is destroyed; what was under way is taken up by the next daemon.
#pragma once

#include "host/async/notification.hpp"
#include "host/async/task_group.hpp"
#include "host/events/event_bus.hpp"
#include "host/sessions/delivery.hpp"
#include "host/sessions/reduce.hpp"
#include "host/sessions/session_log.hpp"
#include "host/sessions/turns.hpp"
#include "host/sessions/vms.hpp"
#include "host/vault/vault.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <set>

namespace vigil::sessions {

struct ServedEvent {
  std::uint64_t seq = 0;
  std::string type, data;
};

class Sessions {
public:
  /// `scale`: of deadlines, by the accelerator.
  Sessions(boost::asio::io_context& io, const Clock& clock, Vms& vms, vault::Vault& vault, events::EventBus& bus, std::string log_path,
           std::uint32_t scale);
  ~Sessions();

  /// After the VMs were taken up. Takes up what was under way. An error is remembered, and given by every call.
  void load();
  boost::asio::awaitable<void> stop();

  /// Accepted and durable; all that follows comes as events. A CLI VM that is named becomes the user's. Gives the id.
  Result<std::string> open(Opened order);
  Result<void> cancel(const std::string& id, const std::string& actor);
  Result<void> heartbeat(const std::string& id, const std::string& by);
  /// A credential that a client brings himself, in place of one that the guest finds. Errc::invalid when it does not fit the session's provider: then nothing is stored.
  Result<void> give(const std::string& id, vault::Secret credential, const std::string& actor);

  Result<const Session*> find(const std::string& id) const;
  Result<std::vector<const Session*>> list() const;  // newest first
  std::optional<CliVm> cli_vm_of(const UserKey& key) const;

  /// Events behind `after`. A viewer is woken when there are more, and holds the session's lease as long as it lives.
  std::vector<ServedEvent> events_of(const std::string& id, std::uint64_t after) const;
  using Viewer = std::shared_ptr<void>;
  Viewer join(const std::string& id, std::function<void()> wake);

private:
  struct Entry;
  using Report = protocol::SigninReport;

  // sessions.cpp
  Result<void> take_up();
  Result<void> record(Entry& entry, EventBody body);
  static void serve(Entry& entry, const Event& event);
  void apply_unrecorded(Entry& entry, EventBody body);
  void schedule_work(const Entry& entry);
  void work_on(Entry& entry);
  void hold_vms(Entry& entry);
  void arm_deadline();
  void deadlines_passed();
  void drop_old();
  Entry* entry_of(const std::string& id) const;
  Opened scaled(Opened order) const;

  // vm_watch.cpp
  void follow_vms();
  void take_vm_events();
  void take_vm_event(const events::Published& event);
  void take_report(const InstanceId& vm, const Report& report, std::uint64_t seq);
  void take_vm_state(const InstanceId& vm, const machine::StateChanged& state, std::uint64_t seq);
  void look_at_vm(Entry& entry);
  void wake_waiting(const InstanceId& vm);
  void refuse(Entry& entry, std::string why, std::uint64_t seq);
  std::vector<Entry*> live_in(const InstanceId& vm) const;

  // sign_in.cpp: each is one Work
  boost::asio::awaitable<void> make_vm(std::string id);
  boost::asio::awaitable<void> run_cli(std::string id, std::uint32_t attempt);
  boost::asio::awaitable<void> store(std::string id);
  boost::asio::awaitable<Result<Stored>> take_into_vault(std::string id);
  boost::asio::awaitable<Forgotten> tell_to_forget(InstanceId vm, std::string guest_session, std::string sha256);
  boost::asio::awaitable<void> hand_over(std::string id);
  boost::asio::awaitable<Result<CliVm>> cli_vm_for(std::string id);
  boost::asio::awaitable<void> wait_until_up(InstanceId vm, std::chrono::seconds limit);
  boost::asio::awaitable<void> remove_vm(std::string id);
  void deliver_at_start(const InstanceId& vm, RunNumber run);
  boost::asio::awaitable<void> deliver_all(CliVm to, UserKey of);
  boost::asio::awaitable<Delivered> deliver_once(vault::EntryKey of, CliVm to, std::string actor);
  void note_delivery(const vault::EntryKey& of, const InstanceId& vm, const Delivered& delivered);
  boost::asio::awaitable<void> record_surely(std::string id, EventBody body);
  boost::asio::awaitable<void> pause(std::chrono::milliseconds time);

  boost::asio::io_context& io_;
  const Clock& clock_;
  Vms& vms_;
  vault::Vault& vault_;
  events::EventBus& bus_;
  std::string log_path_;
  std::uint32_t scale_;
  Delivery delivery_;
  Turns turns_;  // of deliveries into a VM
  std::optional<SessionLog> log_;
  std::optional<Error> problem_;
  std::map<std::string, std::unique_ptr<Entry>> entries_;
  std::map<UserKey, CliVm> cli_vms_;
  struct Start {
    RunNumber run;
    int tries = 0;
    bool is_done = false;
  };
  std::map<InstanceId, Start> starts_;  // of CLI VMs: whether this run's was answered with their credentials
  std::multimap<InstanceId, std::shared_ptr<async::Notification>> waiting_;  // for a VM to be something else than booting
  std::unique_ptr<events::Subscription> vm_events_;
  boost::asio::steady_timer deadline_;
  async::TaskGroup tasks_;  // of what is of no session
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  bool stopping_ = false;
};

/// What is of one session while this daemon lives. Private to this folder.
struct Sessions::Entry {
  explicit Entry(boost::asio::any_io_executor executor) : tasks(executor) {}
  Session session;
  std::vector<ServedEvent> served;  // bounded; the oldest go
  std::map<std::uint64_t, std::function<void()>> viewers;
  std::uint64_t next_viewer = 1;
  std::optional<std::pair<Work, std::uint32_t>> working;  // and of which attempt
  UnixUs held_recorded_unix_us = 0;
  std::map<InstanceId, std::shared_ptr<const void>> held;  // VMs that no policy stops as long as the session goes on
  async::TaskGroup tasks;
};

}  // namespace vigil::sessions
