// One run of one VM, from its device's start to its VMM's end: the poll loop of vigil-shim.
//
// Shape:  starting (device, then VMM) -> running -> ended. It has no policy: it starts what the spec says, keeps what the VMM prints, forwards
//         signals that a client asks for, and writes down how the VMM ended. After the end it stays until a client was told, or for ten seconds.
// Errors: what cannot be started is an end with start_error; what cannot be written to disk is counted.
#pragma once

#include "host/cgroup/cgroup.hpp"
#include "host/shim/client.hpp"
#include "host/shim/doors.hpp"
#include "host/shim/guest_dials.hpp"
#include "host/shim/shim_spec.hpp"
#include "host/shim/socket_watch.hpp"
#include "host/shim/stream_pipe.hpp"
#include "shared/base/clock.hpp"

#include <poll.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <list>
#include <memory>
#include <optional>

namespace vigil::shim {

class Shim {
public:
  /// `listener` is shim.sock; `signals` a non-blocking signalfd of SIGCHLD, SIGTERM and SIGINT, which are blocked.
  static Result<std::unique_ptr<Shim>> make(ShimSpec spec, UniqueFd listener, UniqueFd signals);

  void run();

private:
  struct Waiting { std::uint32_t port = 0; UniqueFd socket; };

  Shim(ShimSpec spec, UniqueFd listener, UniqueFd signals, StreamPipe console, StreamPipe log);

  void begin();
  Result<void> start();
  Result<void> start_device();
  Result<void> give_pipes();
  Result<void> start_vmm();
  void vmm_may_start();
  void fail_start(const std::string& reason);
  void end_run();
  void finish();
  bool is_over(TimePoint now) const;

  void wait_and_serve();
  std::vector<pollfd> watched(TimePoint now) const;
  int timeout_ms(TimePoint now) const;
  void check_deadlines(TimePoint now);
  void take_signals();
  void reap();
  void accept_client();
  void forget_gone();
  void let_in(int door);
  void pass_on();
  void take_back(Client& client);
  bool is_full(int door) const;
  void hand_out_answers();
  void serve(Client& client);
  void obey(Client& client, const Command& command);
  void stop_vmm(int signal);
  void broadcast(const ShimEvent& event);
  void note_halt(bool halted);

  Status status() const;
  void write_record(TimePoint now);
  void note(const std::string& line);

  ShimSpec spec_;
  UniqueFd listener_, signals_, null_;
  StreamPipe console_, log_;
  SystemClock clock_;
  std::unique_ptr<cgroup::Group> group_;
  std::optional<SocketWatch> device_socket_;        // while the VMM waits for it
  std::list<Client> clients_;
  std::uint64_t last_client_ = 0;
  Doors doors_;
  GuestDials dials_;
  ino_t socket_inode_ = 0;                          // of shim.sock

  Phase phase_ = Phase::starting;
  ExitRecord record_;                               // grows into exit.json
  std::optional<UnixUs> device_ended_unix_us_;
  bool vmm_ended_ = false;
  bool vmm_halted_ = false;  // by a stop signal
  bool told_ = false;                               // a client has had everything
  std::list<Waiting> waiting_;                      // who dialled and was not handed over yet
  bool recorded_ = false;                           // exit.json is on disk
  bool hopeless_ = false;                           // and never will be
  std::optional<TimePoint> start_deadline_, kill_deadline_, record_retry_, linger_until_;
};

}  // namespace vigil::shim
