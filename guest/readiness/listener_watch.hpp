// Tells when somebody may have begun to listen on a TCP port, for all probes that wait for one; and when any port comes or goes.
//
// Shape:  a subscription a waiting probe; its handler is a hint to look, not a promise. Where tracefs is there the hint is the kernel's
//         sock:inet_sock_set_state event in a trace instance of our own (nobody else's settings are touched); else a back-off from 1 ms to 250 ms, after a minute to 5 s.
//         The event comes a moment before the socket is in /proc/net/tcp, so a hint is repeated a few times.
// Source: trace/events/sock.h; Documentation/trace/ftrace.rst (instances). Thread: the loop's.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "shared/base/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::guest::readiness {

struct ListenEvent {
  enum class Kind { begun, ended };
  std::uint16_t port = 0;
  Kind kind = Kind::begun;
  friend bool operator==(const ListenEvent&, const ListenEvent&) = default;
};

/// A trace line that reports a socket going to LISTEN, or leaving it; nullopt for any other line.
std::optional<ListenEvent> parse_listen_event(std::string_view trace_line);

class ListenerWatch {
public:
  /// Ends the subscription when it goes; also from inside its own handler.
  class Subscription {
  public:
    Subscription() = default;

  private:
    friend class ListenerWatch;
    struct Entry;
    explicit Subscription(std::shared_ptr<Entry> entry) : entry_(std::move(entry)) {}
    std::shared_ptr<Entry> entry_;
  };

  ListenerWatch(EventLoop& loop, std::string tracefs);
  ListenerWatch(const ListenerWatch&) = delete;
  ListenerWatch& operator=(const ListenerWatch&) = delete;
  ~ListenerWatch();

  [[nodiscard]] Subscription subscribe(std::uint16_t port, std::function<void()> look);
  /// For every port, beginning and end. Events only: where the kernel does not tell, nobody is woken.
  [[nodiscard]] Subscription subscribe_to_all(std::function<void()> look);
  /// Whether the kernel tells (after the first subscription), or we look from time to time.
  bool is_event_triggered() const { return static_cast<bool>(trace_pipe_); }

private:
  void open_trace();
  void read_trace();
  Subscription add(std::uint16_t port, std::function<void()> look);
  void hint(const ListenEvent& event);
  void schedule(const std::shared_ptr<Subscription::Entry>& entry);

  EventLoop& loop_;
  std::string tracefs_, instance_;
  bool tried_trace_ = false;
  UniqueFd trace_pipe_;
  LoopToken trace_token_;
  std::string partial_line_;
  std::list<std::weak_ptr<Subscription::Entry>> entries_;
};

}  // namespace vigil::guest::readiness
