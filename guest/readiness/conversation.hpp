// Holds a Dialogue with a local service over a real connection, again and again until it is content.
//
// Shape:  start() connects; what fails is tried anew after 10 ms, doubling to 1 s, after a minute to 5 s. An answer that is owed must come within 2 s (times the deadline scale),
//         else service.not_answering; a service that was to speak first and has not by half of that may be told something (Dialogue::when_silent). At most
//         64 KiB of unread answer are kept. passed() ends it, with the connection.
// Thread: the loop's.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "guest/readiness/dialogue.hpp"
#include "guest/readiness/endpoint.hpp"
#include "guest/readiness/patience.hpp"
#include "guest/readiness/probe.hpp"
#include "shared/base/unique_fd.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace vigil::guest::readiness {

class Conversation {
public:
  /// Looks at who is at the other end of the connection; a cause means that it is not the one.
  using PeerCheck = std::function<std::optional<protocol::Cause>(int socket)>;

  Conversation(Endpoint endpoint, std::unique_ptr<Dialogue> dialogue, EventLoop& loop, int deadline_scale, ProbeEvents events, PeerCheck check = {});
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  void start();
  const std::optional<protocol::Cause>& finding() const { return finding_; }
  const std::string& seen() const { return seen_; }

private:
  void connect();
  void on_ready(std::uint32_t epoll_events);
  bool send_rest();
  void read_in();
  void follow(Turn turn);
  void expect_answer();
  void half_of_the_time_is_over();
  void give_up_waiting();
  void retry(std::string seen, std::optional<protocol::Cause> finding);
  void set_finding(std::optional<protocol::Cause> finding);
  void hang_up();

  Endpoint endpoint_;
  std::unique_ptr<Dialogue> dialogue_;
  EventLoop& loop_;
  int deadline_scale_;
  ProbeEvents events_;
  PeerCheck check_;
  UniqueFd socket_;
  bool connected_ = false;
  std::string unsent_, unread_, seen_;
  std::optional<protocol::Cause> finding_;
  Patience patience_{std::chrono::milliseconds(10), std::chrono::milliseconds(1000)};
  LoopToken io_, overtime_, retry_;
};

}  // namespace vigil::guest::readiness
