// One run of an instance: everything that is open while its VMM lives. Turns shim, VMM, link and console into events; decides nothing.
//
// Shape:  start() prepares disk, directory and link, has the shim start the VMM and follows it to its end; adopt() takes up a run whose shim a former
//         daemon started, starts it when that one did not come to it, or learns from exit.json how it ended meanwhile. The last event is StartFailed, VmmExited or ShimLost.
// Thread: the event thread; file copies and hashes on the pool.
#pragma once

#include "host/api/vm_control.hpp"
#include "host/async/task_group.hpp"
#include "host/daemon/pulse_watch.hpp"
#include "host/daemon/run_console.hpp"
#include "host/daemon/run_host.hpp"
#include "host/daemon/run_logs.hpp"
#include "host/egress/listener.hpp"
#include "host/guest_link/guest_link.hpp"
#include "host/machine/vm_event.hpp"
#include "host/machine/vm_state.hpp"
#include "host/shim/shim_client.hpp"
#include "host/streams/guest_stream.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::daemon {

/// Whose run it is; the actor.
class RunOwner {
public:
  virtual ~RunOwner() = default;
  virtual const machine::VmState& run_state() const = 0;
  virtual const std::map<std::string, std::string>& secrets() const = 0;
  virtual void happened(machine::EventBody body) = 0;
  virtual guest_link::TokenCheck check_token(const BootId& boot, const std::string& token) = 0;
  virtual Result<void> remember_token(const BootId& boot, const std::string& token) = 0;
  virtual Seq acknowledged(const BootId& boot, Epoch epoch) = 0;
};

class VmRun final : private guest_link::LinkOwner, private egress::EgressOwner {
public:
  using GuestAnswer = std::function<void(Result<std::string>)>;
  using StreamOpened = std::function<void(Result<streams::GuestStream>)>;

  VmRun(RunHost& host, RunOwner& owner, machine::InstanceSpec spec, InstanceId id, RunNumber number);
  ~VmRun() override;

  void start();
  void adopt();
  /// Over the link, else by the power button; failing both, the stop's deadline kills it.
  void request_shutdown(protocol::ByeReport::Kind kind);
  /// One request to the agent; answers at once when there is no link.
  void ask(api::GuestQuestion question, GuestAnswer done);
  /// `first`: chunks that go along, as open_guest_stream.
  void open_stream(std::string opening, std::string first, StreamOpened done);
  void kill(int signal, const std::string& why);
  void acknowledge(const BootId& boot, Epoch epoch, Seq seq);
  /// What the guest sent was not stored: it has to come again.
  void break_link(const std::string& reason);
  void events_committed();
  std::vector<std::string> console_tail() const;
  RunNumber number() const { return number_; }
  boost::asio::awaitable<void> stop();

private:
  using VmmOrder = std::function<boost::asio::awaitable<Result<void>>(vmm::RunningVm&)>;
  using Prepared = std::variant<shim::ShimSpec, protocol::Cause>;

  std::filesystem::path run_dir() const {
    return host_.places.run_dir(id_);
  }  // made when it is wanted: a path kept is a kilobyte of small pieces
  std::filesystem::path log_dir() const { return host_.places.log_dir(id_, number_); }
  boost::asio::awaitable<void> dial_guest(std::string opening, std::string first, StreamOpened done);
  boost::asio::awaitable<Result<streams::Dialled>> dial_streams();
  boost::asio::awaitable<void> launch();
  boost::asio::awaitable<void> take_up();
  void send_kill();
  bool is_unbegun() const;
  bool may_begin_again() const;
  boost::asio::awaitable<Prepared> prepare();
  boost::asio::awaitable<Result<void>> prepare_files(images::Image image);
  boost::asio::awaitable<Result<void>> prepare_disk(images::Image image);
  std::optional<protocol::Cause> unfit(const images::Image& image) const;
  std::variant<shim::ShimSpec, protocol::Cause> plan(const images::Image& image);
  Result<void> open_link(const images::Image* image);
  void reopen_link();
  Result<void> listen_for_guest();
  void let_in(std::uint32_t port, UniqueFd connection);
  void tell_dial_lost(std::uint32_t port);
  Result<void> open_egress();
  void follow_logs();
  void follow_logs_when_due();

  boost::asio::awaitable<void> follow(std::uint64_t console_offset);
  boost::asio::awaitable<Result<shim::ProcessIdentity>> spawn(shim::ShimSpec spec);
  void note_shim(const shim::ProcessIdentity& shim);
  boost::asio::awaitable<void> boot_guest();
  boost::asio::awaitable<Result<void>> give_boot_orders(vmm::RunningVm* vm);
  boost::asio::awaitable<Result<void>> with_vmm(VmmOrder order);
  boost::asio::awaitable<Result<std::unique_ptr<vmm::RunningVm>>> connect();
  boost::asio::awaitable<void> press_power_button();
  boost::asio::awaitable<void> flush_console();
  void doubt();
  boost::asio::awaitable<void> doubt_guest();
  boost::asio::awaitable<void> look_while_in_doubt();
  boost::asio::awaitable<machine::PulseTaken> take_pulse(PulseWatch* watch);
  bool in_doubt() const;
  boost::asio::awaitable<void> conclude(shim::ExitRecord record);
  boost::asio::awaitable<void> conclude_without_shim();
  boost::asio::awaitable<void> read_rest_of_console();
  std::string end_reason(const protocol::ExitStatus& exit) const;
  std::vector<std::string> words_at_end(const shim::ExitRecord& record) const;

  bool is_own(const shim::Status& status) const;
  void on_status(const shim::Status& status);
  void on_device_exited(const shim::DeviceExited& device);
  void tell_started(const shim::ProcessIdentity& vmm, const shim::ProcessIdentity& device);
  void on_vmm_running(const shim::ProcessIdentity& vmm, const shim::ProcessIdentity& device);
  void on_console(std::uint64_t offset, std::string_view bytes);
  void tell(std::vector<machine::EventBody> bodies);
  void fail_start(protocol::Cause cause);
  /// As fail_start(), of a VMM that lives: it is killed, and the cause told when it has ended.
  void give_up_start(protocol::Cause cause);

  protocol::GuestConfig guest_config() override;
  guest_link::TokenCheck check_token(const BootId& boot, const std::string& token) override { return owner_.check_token(boot, token); }
  Result<void> remember_token(const BootId& boot, const std::string& token) override { return owner_.remember_token(boot, token); }
  Seq acknowledged(const BootId& boot, Epoch epoch) override { return owner_.acknowledged(boot, epoch); }
  void link_up(const BootId& boot, Epoch epoch, const protocol::Hello& hello) override;
  void link_lost(const guest_link::SessionEnd& end) override;
  void link_refused(const std::string& reason) override;
  void reported(protocol::Report report) override;
  void clock_synced(guest_link::ClockSample sample) override;
  void link_quiet() override { doubt(); }
  bool is_agent(const BootId& boot, const std::string& token) override {
    return owner_.check_token(boot, token) == guest_link::TokenCheck::fits;
  }
  void egress_refused(const protocol::Cause& cause, std::uint64_t count) override;

  RunHost& host_;
  RunOwner& owner_;
  machine::InstanceSpec spec_;
  InstanceId id_;
  RunNumber number_;
  std::optional<shim::Credentials> user_;
  std::unique_ptr<guest_link::GuestLink> link_;
  std::unique_ptr<egress::Listener> egress_;  // null: the spec names no policy, nothing leaves the VM
  std::unique_ptr<RunConsole> console_;
  logs::LogHub::Open log_open_;
  std::unique_ptr<RunLogs> logs_;
  bool agent_is_up_ = false;  // its second life, which has logs
  std::unique_ptr<shim::ShimConnection> shim_;
  std::string control_socket_;
  Vmm* vmm_ = nullptr;  // what it runs on
  vmm::BootOrders boot_;  // of a run that we start; taken by give_boot_orders()
  bool begun_here_ = false, vmm_told_ = false, vmm_runs_ = false, stopping_ = false;
  bool shim_dials_ = false;
  MonoUs dial_lost_us_ = 0;  // when it was last told that there was no descriptor for who dialled
  bool doubts_ = false, flushes_console_ = false;  // somebody is at it
  std::optional<protocol::Cause> start_cause_;  // the VMM lives, or did, but its guest could not be started
  std::optional<int> kill_wanted_;  // the signal
  MonoUs console_heard_us_ = 0, link_heard_us_ = 0;  // any byte; the link while it was up
  async::TaskGroup tasks_;
};

}  // namespace vigil::daemon
