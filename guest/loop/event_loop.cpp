#include "guest/loop/event_loop.hpp"

#include "guest/log/log.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vigil::guest {

struct LoopToken::Registration {
  EventLoop::Impl* loop = nullptr;   // null once the loop is gone or the registration has ended
  std::uint64_t id = 0;
  int fd = -1;                       // -1: a timer
  MonoUs due_us = 0;
  EventLoop::FdHandler on_fd;
  EventLoop::TimerHandler on_timer;
};

struct EventLoop::Impl {
  using Entry = std::shared_ptr<LoopToken::Registration>;
  static constexpr std::uint64_t timer_id = 0;
  static constexpr std::uint64_t first_bit = std::uint64_t{1} << 63;   // in the ids of what is called before the rest

  UniqueFd epoll{epoll_create1(EPOLL_CLOEXEC)};
  UniqueFd timer{timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)};
  std::uint64_t next_id = 1;
  std::unordered_map<std::uint64_t, Entry> watches;
  std::map<std::pair<MonoUs, std::uint64_t>, Entry> timers;   // by due time, then by age
  std::vector<TimerHandler> posted;
  MonoUs armed_us = 0;               // what the timerfd waits for; 0: nothing
  bool stopping = false;
  SystemClock clock;

  void end(LoopToken::Registration& registration);
  void arm();
  bool run_posted();       // true: there was something to run
  bool run_due_timers();
  void dispatch(std::uint64_t id, std::uint32_t events);
};

namespace {

// PID 1 never exits: whatever a handler throws ends that handler only.
template <class Call>
void guarded(Call&& call) {
  try {
    call();
  } catch (const std::exception& thrown) {
    log::error("loop.handler_failed", {{"err", thrown.what()}});
  } catch (...) {
    log::error("loop.handler_failed", {{"err", "unknown exception"}});
  }
}

}  // namespace

LoopToken::LoopToken(std::shared_ptr<Registration> registration) : registration_(std::move(registration)) {}

LoopToken& LoopToken::operator=(LoopToken&& other) noexcept {
  if (this != &other) {
    cancel();
    registration_ = std::move(other.registration_);
  }
  return *this;
}

LoopToken::~LoopToken() { cancel(); }

void LoopToken::cancel() {
  const auto registration = std::exchange(registration_, nullptr);
  if (registration && registration->loop) registration->loop->end(*registration);
}

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = Impl::timer_id;
  const bool ready = impl_->epoll && impl_->timer && epoll_ctl(impl_->epoll.get(), EPOLL_CTL_ADD, impl_->timer.get(), &event) == 0;
  if (!ready) {
    log::error("loop.not_created", {{"err", std::strerror(errno)}});
    std::abort();
  }
}

EventLoop::~EventLoop() {
  for (auto& [id, entry] : impl_->watches) entry->loop = nullptr;
  for (auto& [due, entry] : impl_->timers) entry->loop = nullptr;
}

LoopToken EventLoop::watch(int fd, std::uint32_t epoll_events, FdHandler handler, Rank rank) {
  auto registration = std::make_shared<LoopToken::Registration>();
  registration->id = impl_->next_id++ | (rank == Rank::first ? Impl::first_bit : 0);
  registration->fd = fd;
  registration->on_fd = std::move(handler);
  epoll_event event{};
  event.events = epoll_events;
  event.data.u64 = registration->id;
  if (epoll_ctl(impl_->epoll.get(), EPOLL_CTL_ADD, fd, &event) < 0) {
    log::error("loop.watch_refused", {{"fd", fd}, {"err", std::strerror(errno)}});
    return LoopToken();
  }
  registration->loop = impl_.get();
  impl_->watches.emplace(registration->id, registration);
  return LoopToken(std::move(registration));
}

void EventLoop::rearm(const LoopToken& token, std::uint32_t epoll_events) {
  if (!token.registration_ || !token.registration_->loop || token.registration_->fd < 0) return;
  epoll_event event{};
  event.events = epoll_events;
  event.data.u64 = token.registration_->id;
  if (epoll_ctl(impl_->epoll.get(), EPOLL_CTL_MOD, token.registration_->fd, &event) < 0)
    log::error("loop.rearm_refused", {{"fd", token.registration_->fd}, {"err", std::strerror(errno)}});
}

LoopToken EventLoop::after(std::chrono::milliseconds delay, TimerHandler handler) { return after_us(delay, std::move(handler)); }

LoopToken EventLoop::after_us(std::chrono::microseconds delay, TimerHandler handler) {
  auto registration = std::make_shared<LoopToken::Registration>();
  registration->loop = impl_.get();
  registration->id = impl_->next_id++;
  registration->due_us = now_us() + static_cast<MonoUs>(std::max<std::int64_t>(delay.count(), 0));
  registration->on_timer = std::move(handler);
  impl_->timers.emplace(std::pair(registration->due_us, registration->id), registration);
  return LoopToken(std::move(registration));
}

void EventLoop::post(TimerHandler handler) { impl_->posted.push_back(std::move(handler)); }

void EventLoop::run() {
  impl_->stopping = false;
  while (!impl_->stopping) run_once(std::chrono::milliseconds(-1));
}

void EventLoop::run_once(std::chrono::milliseconds limit) {
  bool ran = impl_->run_posted();
  if (impl_->run_due_timers()) ran = true;
  if (impl_->stopping) return;
  impl_->arm();
  // A turn that has done something does not wait: who asked for one turn wants to look at what it did.
  const int wait_ms = ran || !impl_->posted.empty() ? 0 : static_cast<int>(limit.count());
  epoll_event events[64];
  const int count = epoll_wait(impl_->epoll.get(), events, 64, wait_ms);
  for (const std::uint64_t rank : {Impl::first_bit, std::uint64_t{0}})
    for (int i = 0; i < count; ++i)
      if ((events[i].data.u64 & Impl::first_bit) == rank) impl_->dispatch(events[i].data.u64, events[i].events);
}

void EventLoop::stop() { impl_->stopping = true; }

MonoUs EventLoop::now_us() const { return impl_->clock.mono_us(); }

void EventLoop::Impl::end(LoopToken::Registration& registration) {
  registration.loop = nullptr;
  if (registration.fd >= 0) {
    epoll_ctl(epoll.get(), EPOLL_CTL_DEL, registration.fd, nullptr);
    watches.erase(registration.id);
  } else {
    timers.erase({registration.due_us, registration.id});
  }
}

void EventLoop::Impl::arm() {
  const MonoUs due = timers.empty() ? 0 : timers.begin()->first.first;
  if (due == armed_us) return;
  armed_us = due;
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<time_t>(due / 1'000'000);
  spec.it_value.tv_nsec = static_cast<long>(due % 1'000'000 * 1'000);
  timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

bool EventLoop::Impl::run_posted() {
  // What a handler posts runs in the next turn, so that a chain of posts cannot starve the descriptors.
  auto handlers = std::exchange(posted, {});
  for (auto& handler : handlers) guarded(handler);
  return !handlers.empty();
}

bool EventLoop::Impl::run_due_timers() {
  const MonoUs now = clock.mono_us();
  bool ran = false;
  while (!timers.empty() && timers.begin()->first.first <= now) {
    const Entry entry = timers.begin()->second;
    timers.erase(timers.begin());
    entry->loop = nullptr;
    guarded(entry->on_timer);
    ran = true;
  }
  return ran;
}

void EventLoop::Impl::dispatch(std::uint64_t id, std::uint32_t events) {
  if (id == timer_id) {
    std::uint64_t expirations = 0;
    [[maybe_unused]] const auto got = ::read(timer.get(), &expirations, sizeof expirations);
    armed_us = 0;
    run_due_timers();
    return;
  }
  const auto found = watches.find(id);
  if (found == watches.end()) return;   // cancelled by a handler of this same turn
  const Entry entry = found->second;    // outlives its own cancellation
  guarded([&] { entry->on_fd(events); });
}

}  // namespace vigil::guest
