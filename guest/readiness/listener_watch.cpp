#include "guest/readiness/listener_watch.hpp"

#include "guest/readiness/patience.hpp"
#include "guest/process/small_file.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <vector>

namespace vigil::guest::readiness {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds safety_look{5000};      // with events: in case the trace buffer was overwritten
constexpr int looks_after_event = 8;           // 1 + 2 + ... + 128 ms: more than listen(2) needs from the event to the table
constexpr std::size_t trace_bytes_per_turn = 64 * 1024;
constexpr std::uint16_t all_ports = 0;

}  // namespace

struct ListenerWatch::Subscription::Entry {
  std::uint16_t port = 0;
  std::function<void()> look;
  Patience patience{milliseconds(1), milliseconds(250)};
  int eager_looks = 0;             // how many of the next looks follow an event
  LoopToken timer;
};

std::optional<ListenEvent> parse_listen_event(std::string_view trace_line) {
  const bool begun = trace_line.find("newstate=TCP_LISTEN") != std::string_view::npos;
  if (!begun && trace_line.find("oldstate=TCP_LISTEN") == std::string_view::npos) return std::nullopt;
  constexpr std::string_view key = " sport=";
  const std::size_t at = trace_line.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view digits = trace_line.substr(at + key.size());
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || port == 0) return std::nullopt;
  return ListenEvent{port, begun ? ListenEvent::Kind::begun : ListenEvent::Kind::ended};
}

ListenerWatch::ListenerWatch(EventLoop& loop, std::string tracefs) : loop_(loop), tracefs_(std::move(tracefs)) {}

ListenerWatch::~ListenerWatch() {
  trace_token_.cancel();
  trace_pipe_.reset();
  if (!instance_.empty()) rmdir(instance_.c_str());
}

ListenerWatch::Subscription ListenerWatch::subscribe(std::uint16_t port, std::function<void()> look) { return add(port, std::move(look)); }

ListenerWatch::Subscription ListenerWatch::subscribe_to_all(std::function<void()> look) { return add(all_ports, std::move(look)); }

ListenerWatch::Subscription ListenerWatch::add(std::uint16_t port, std::function<void()> look) {
  if (!tried_trace_) open_trace();
  auto entry = std::make_shared<Subscription::Entry>();
  entry->port = port;
  entry->look = std::move(look);
  std::erase_if(entries_, [](const auto& known) { return known.expired(); });
  entries_.push_back(entry);
  schedule(entry);
  return Subscription(std::move(entry));
}

void ListenerWatch::open_trace() {
  tried_trace_ = true;
  if (tracefs_.empty()) return;
  const std::string instance = tracefs_ + "/instances/vigil-" + std::to_string(getpid());
  if (mkdir(instance.c_str(), 0700) != 0 && errno != EEXIST) return;
  instance_ = instance;
  process::write_control_file(instance + "/buffer_size_kb", "8");
  process::write_control_file(instance + "/buffer_percent", "0");   // wake the reader for one event, not for half a buffer
  const std::string event = instance + "/events/sock/inet_sock_set_state";
  if (process::write_control_file(event + "/filter", "newstate == 10 || oldstate == 10") != 0 || process::write_control_file(event + "/enable", "1") != 0) return;
  trace_pipe_.reset(open((instance + "/trace_pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (trace_pipe_) trace_token_ = loop_.watch(trace_pipe_.get(), EPOLLIN, [this](std::uint32_t) { read_trace(); });
}

void ListenerWatch::read_trace() {
  static char block[4096];
  for (std::size_t taken = 0; taken < trace_bytes_per_turn;) {
    const ssize_t length = read(trace_pipe_.get(), block, sizeof block);
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) break;
    partial_line_.append(block, static_cast<std::size_t>(length));
    taken += static_cast<std::size_t>(length);
  }
  std::size_t end = 0;
  while ((end = partial_line_.find('\n')) != std::string::npos) {
    const std::string line = partial_line_.substr(0, end);
    partial_line_.erase(0, end + 1);
    if (const auto event = parse_listen_event(line)) hint(*event);
  }
  if (partial_line_.size() > sizeof block) partial_line_.clear();
}

void ListenerWatch::hint(const ListenEvent& event) {
  const auto concerns = [&](const Subscription::Entry& entry) {
    return entry.port == all_ports || (entry.port == event.port && event.kind == ListenEvent::Kind::begun);
  };
  std::vector<std::shared_ptr<Subscription::Entry>> woken;   // a handler may end its own or another subscription
  for (const auto& known : entries_)
    if (auto entry = known.lock(); entry && concerns(*entry)) woken.push_back(std::move(entry));
  for (const auto& entry : woken) {
    entry->patience.renew();
    entry->eager_looks = looks_after_event;
    schedule(entry);
    if (entry.use_count() > 1) entry->look();
  }
}

void ListenerWatch::schedule(const std::shared_ptr<Subscription::Entry>& entry) {
  if (entry->port == all_ports && entry->eager_looks == 0) return;
  const bool eager = entry->eager_looks > 0 || !is_event_triggered();
  const milliseconds delay = eager ? entry->patience.take() : safety_look;
  entry->timer = loop_.after(delay, [this, weak = std::weak_ptr(entry)] {
    const auto alive = weak.lock();
    if (!alive) return;
    if (alive->eager_looks > 0) --alive->eager_looks;
    schedule(alive);
    alive->look();
  });
}

}  // namespace vigil::guest::readiness
