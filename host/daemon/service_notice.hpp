// What systemd is told of this daemon while it lives: ready, how it is, that the event loop turns, that it stops.
//
// Shape:  ready() once; from then on WATCHDOG=1 at half the unit's WatchdogSec, sent from the event loop: one that hangs is silent and systemd ends the daemon, VMs go on.
//         STATUS= when it has changed, looked at every few seconds: what `systemctl status vigild` shows.
// Thread: the event thread. stop() before it is destroyed.
#pragma once

#include "host/async/task_group.hpp"
#include "host/systemd/notifier.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace vigil::daemon {

class ServiceNotice {
public:
  /// `status`: one line.
  ServiceNotice(boost::asio::any_io_executor executor, const systemd::Notifier& notifier, std::function<std::string()> status,
                std::chrono::microseconds look_every = std::chrono::seconds(5));
  void ready();
  void stopping();
  boost::asio::awaitable<void> stop();

private:
  boost::asio::awaitable<void> beat();
  void tell(const std::string& lines);

  boost::asio::any_io_executor executor_;
  const systemd::Notifier& notifier_;
  std::function<std::string()> status_;
  std::chrono::microseconds every_;
  std::string told_;
  bool failed_ = false;
  async::TaskGroup tasks_;
};

}  // namespace vigil::daemon
