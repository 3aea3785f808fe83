// A local service of the test's own making, in the scene's loop.
#pragma once

#include "tests/unit/guest/readiness/probe_scene.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <string>
#include <vector>

namespace vigil::guest::readiness {

/// Answers each connection with the next of the given texts, the last one again and again.
class LocalServer {
public:
  enum class Speaks { after_request, at_once };
  enum class Then { closes, stays };

  LocalServer(EventLoop& loop, const TestSocket& socket, std::vector<std::string> answers, Speaks speaks = Speaks::after_request,
              Then then = Then::closes)
      : loop_(loop), socket_(socket), answers_(std::move(answers)), speaks_(speaks), then_(then) {
    token_ = loop_.watch(socket_.fd(), EPOLLIN, [this](std::uint32_t) { take_connection(); });
  }
  std::size_t count() const { return count_; }
  const std::string& last_request() const { return last_request_; }

private:
  void take_connection() {
    connections_.push_back(socket_.accept_one());
    const int fd = connections_.back().get();
    const std::string answer = answers_[std::min(count_, answers_.size() - 1)];
    ++count_;
    if (speaks_ == Speaks::at_once)
      say(fd, answer);
    else
      reads_.push_back(loop_.watch(fd, EPOLLIN, [this, fd, answer, said = false](std::uint32_t) mutable {
        char request[2048];
        const ssize_t length = recv(fd, request, sizeof request, MSG_DONTWAIT);
        if (length > 0) last_request_.assign(request, static_cast<std::size_t>(length));
        if (!std::exchange(said, true)) say(fd, answer);
      }));
  }
  void say(int fd, const std::string& answer) const {
    if (!answer.empty()) send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    if (then_ == Then::closes) shutdown(fd, SHUT_RDWR);
  }

  EventLoop& loop_;
  const TestSocket& socket_;
  std::vector<std::string> answers_;
  Speaks speaks_;
  Then then_;
  std::size_t count_ = 0;
  std::string last_request_;
  std::vector<UniqueFd> connections_;
  std::vector<LoopToken> reads_;
  LoopToken token_;
};

}  // namespace vigil::guest::readiness
