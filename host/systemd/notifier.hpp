// What the service manager hears of the daemon.
//
// Shape:  tell() sends one datagram of VARIABLE=VALUE lines; it waits for the manager a second at most. Without a socket it does nothing and succeeds.
// Units:  watchdog(): the time within which WATCHDOG=1 must come, WatchdogSec= of the unit; nullopt: nobody waits for it.
// Errors: tell(): those of sendto(2).
// Source: sd_notify(3), sd_watchdog_enabled(3).
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::systemd {

class Notifier {
public:
  Notifier() = default;
  /// `address`: a path, or an abstract name with a leading @.
  explicit Notifier(std::string address, std::optional<std::chrono::microseconds> watchdog = std::nullopt);

  /// Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment.
  static Notifier take_from_environment();

  bool is_heard() const { return !address_.empty(); }
  std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }
  Result<void> tell(std::string_view lines) const;

private:
  std::string address_;
  std::optional<std::chrono::microseconds> watchdog_;
  UniqueFd socket_;
};

}  // namespace vigil::systemd
