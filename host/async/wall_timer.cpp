#include "host/async/wall_timer.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <system_error>

namespace vigil::async {

namespace asio = boost::asio;

namespace {

int make_timer() {
  const int fd = ::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "timerfd_create");
  return fd;
}

}  // namespace

WallTimer::WallTimer(asio::any_io_executor executor, std::function<void()> on_due)
    : timer_(executor, make_timer()), on_due_(std::move(on_due)) {
  wait();
}

WallTimer::~WallTimer() = default;

void WallTimer::set(std::optional<UnixUs> at) {
  if (at == at_) return;
  at_ = at;
  constexpr UnixUs us_per_s = 1'000'000;
  itimerspec wanted{};
  if (at) {
    const auto due = std::max<UnixUs>(*at, 1);   // all zero would mean: never
    wanted.it_value = {static_cast<time_t>(due / us_per_s), static_cast<long>(due % us_per_s * 1000)};
  }
  ::timerfd_settime(timer_.native_handle(), TFD_TIMER_ABSTIME, &wanted, nullptr);
}

void WallTimer::wait() {
  timer_.async_wait(asio::posix::stream_descriptor::wait_read,
                    [this, alive = std::weak_ptr<int>(alive_)](boost::system::error_code failure) {
                      if (!failure && !alive.expired()) take();
                    });
}

void WallTimer::take() {
  wait();
  std::uint64_t times = 0;
  if (::read(timer_.native_handle(), &times, sizeof times) != static_cast<ssize_t>(sizeof times)) return;   // it was set anew meanwhile
  at_.reset();
  on_due_();
}

}  // namespace vigil::async
