#include "host/daemon/service_notice.hpp"

#include <spdlog/spdlog.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

#include <algorithm>

namespace vigil::daemon {

namespace asio = boost::asio;

ServiceNotice::ServiceNotice(asio::any_io_executor executor, const systemd::Notifier& notifier, std::function<std::string()> status,
                             std::chrono::microseconds look_every)
    : executor_(executor), notifier_(notifier), status_(std::move(status)), every_(look_every), tasks_(executor) {
  if (const auto watchdog = notifier_.watchdog()) every_ = std::min(every_, *watchdog / 2);
}

void ServiceNotice::ready() {
  if (!notifier_.is_heard()) return;
  told_ = status_();
  tell("READY=1\nMAINPID=" + std::to_string(::getpid()) + "\nSTATUS=" + told_);
  tasks_.spawn("daemon.service_notice", [this] { return beat(); });
}

void ServiceNotice::stopping() { tell("STOPPING=1\nSTATUS=stopping; VMs go on"); }

asio::awaitable<void> ServiceNotice::stop() { co_await tasks_.stop(); }

asio::awaitable<void> ServiceNotice::beat() {
  asio::steady_timer timer(executor_);
  for (;;) {
    std::string lines = notifier_.watchdog() ? "WATCHDOG=1" : "";
    if (auto now = status_(); now != told_) {
      told_ = std::move(now);
      lines += (lines.empty() ? "STATUS=" : "\nSTATUS=") + told_;
    }
    if (!lines.empty()) tell(lines);
    timer.expires_after(every_);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

/// A manager that is not there any more is told of once.
void ServiceNotice::tell(const std::string& lines) {
  const auto told = notifier_.tell(lines);
  if (!told && !failed_) spdlog::warn("daemon.notify_failed err=\"{}\"", told.error().message());
  failed_ = !told;
}

}  // namespace vigil::daemon
