// The way out of the VM for its programs: connections on the loopback become connections to the host.
//
// Shape:  `dial` begins a connection to the host (non-blocking), `hello` is the frame that opens it. A connection that the host does not take is answered 502.
// Units:  max_connections at once; a dial has dial_deadline. Thread: the loop's.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "guest/streams/stream.hpp"
#include "shared/base/result.hpp"

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace vigil::guest::egress {

inline constexpr std::uint16_t proxy_port = 3128;
inline constexpr std::size_t max_connections = 288;   // more than the host takes, which tells of those that it refuses

/// 127.0.0.1; port 0: any free one.
Result<UniqueFd> listen_loopback(std::uint16_t port);

class EgressProxy {
public:
  using Dial = std::function<Result<UniqueFd>()>;
  using Hello = std::function<std::string()>;

  EgressProxy(EventLoop& loop, UniqueFd listener, Dial dial, Hello hello);
  EgressProxy(const EgressProxy&) = delete;
  EgressProxy& operator=(const EgressProxy&) = delete;

  /// Between two lives of the agent; connections that the host has not taken yet are left out, and break.
  struct Kept {
    int listener = -1;
    std::vector<streams::KeptStream> streams;
    friend bool operator==(const Kept&, const Kept&) = default;
  };
  Kept keep() const;
  void resume(const std::vector<streams::KeptStream>& kept);

  std::size_t connections() const { return connections_.size(); }

private:
  struct Connection {
    UniqueFd local, host;                      // until the host has taken it
    LoopToken watch, deadline;
    std::unique_ptr<streams::Stream> stream;   // then
  };
  using Place = std::list<Connection>::iterator;

  void accept_some();
  void add(UniqueFd local);
  void dialled(Place place);
  void give_up(Place place, const std::string& reason);
  void forget_soon(Place place);

  EventLoop& loop_;
  UniqueFd listener_;
  Dial dial_;
  Hello hello_;
  std::list<Connection> connections_;
  LoopToken watch_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);   // posted calls outlive us
};

}  // namespace vigil::guest::egress
