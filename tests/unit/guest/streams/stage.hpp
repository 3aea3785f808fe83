// A stream server over a socket pair, and the host's end of it in the same loop.
#pragma once

#include "guest/streams/opener.hpp"
#include "guest/streams/stream_server.hpp"
#include "shared/framing/frame.hpp"
#include "shared/streams/chunk.hpp"
#include "shared/streams/control.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace vigil::guest::streams {

/// What the host has seen of one stream.
class HostStream {
public:
  HostStream(EventLoop& loop, const std::string& path) : loop_(loop) {
    fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    watch();
  }

  void open(const Opening& opening) { send_bytes(framing::make_frame(encode(opening))); }
  void send_bytes(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
      else loop_.run_once(std::chrono::milliseconds(1));
    }
  }
  void send(Channel channel, std::string_view bytes) {
    std::string out;
    append_chunks(out, channel, bytes);
    send_bytes(out);
  }
  void end(Channel channel) {
    std::string out;
    append_end(out, channel);
    send_bytes(out);
  }
  void tell(const Control& control) { send(Channel::control, encode(control)); }
  void close() {
    watch_.cancel();
    fd_.reset();
  }
  void stop_reading() { watch_.cancel(); }
  void watch() {
    watch_ = loop_.watch(fd_.get(), EPOLLIN, [this](std::uint32_t) { read(); });
  }

  std::optional<Result<std::string>> answer;
  std::map<Channel, std::string> got;
  std::map<Channel, bool> ended;
  std::deque<Control> controls;
  bool closed = false;
  bool is_over() const { return ended.contains(Channel::control); }
  template <class Message>
  std::optional<Message> last() const {
    for (auto each = controls.rbegin(); each != controls.rend(); ++each)
      if (const auto* const message = std::get_if<Message>(&*each)) return *message;
    return std::nullopt;
  }

private:
  void read() {
    char block[64 * 1024];
    const ssize_t count = ::recv(fd_.get(), block, sizeof block, 0);
    if (count <= 0) {
      closed = true;
      return watch_.cancel();
    }
    if (!answer) {
      frames_.feed({block, static_cast<std::size_t>(count)});
      auto frame = frames_.next();
      REQUIRE(frame.has_value());
      if (!*frame) return;
      answer = decode_answer(**frame);
      chunks_.feed(frames_.take_rest());
    } else {
      chunks_.feed({block, static_cast<std::size_t>(count)});
    }
    for (;;) {
      auto chunk = chunks_.next();
      REQUIRE(chunk.has_value());
      if (!*chunk) break;
      if ((*chunk)->is_end()) {
        ended[(*chunk)->channel] = true;
      } else if ((*chunk)->channel == Channel::control) {
        auto control = decode_control((*chunk)->bytes);
        REQUIRE(control.has_value());
        controls.push_back(*control);
      } else {
        got[(*chunk)->channel] += (*chunk)->bytes;
      }
    }
  }

  EventLoop& loop_;
  UniqueFd fd_;
  framing::FrameReader frames_;
  ChunkReader chunks_;
  LoopToken watch_;
};

class Stage {
public:
  explicit Stage(ExecPeriods periods = {}) : sessions({loop, launcher, reaper, "", {{"IN_VM", "yes"}}}, periods), workers(sessions.host(), "/nonexistent/worker") {
    REQUIRE(::mkdtemp(folder_) != nullptr);
    path = std::string(folder_) + "/streams";
    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener.get(), 64) == 0);
    const auto accept = [](int fd) { return UniqueFd(::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)); };
    server.emplace(loop, std::move(listener), accept, make_opener(loop, sessions, workers, logs));
  }
  ~Stage() {
    server.reset();
    ::unlink(path.c_str());
    ::rmdir(folder_);
  }

  std::unique_ptr<HostStream> dial() { return std::make_unique<HostStream>(loop, path); }
  std::unique_ptr<HostStream> open(const Opening& opening) {
    auto stream = dial();
    stream->open(opening);
    return stream;
  }
  /// Turns the loop until `done`, at most ten seconds.
  void until(const std::function<bool()>& done) {
    const MonoUs limit = loop.now_us() + 10'000'000;
    while (!done() && loop.now_us() < limit) loop.run_once(std::chrono::milliseconds(20));
    REQUIRE(done());
  }
  /// The facts of an accepted stream.
  std::string accepted(HostStream& stream) {
    until([&] { return stream.answer.has_value() || stream.closed; });
    REQUIRE(stream.answer.has_value());
    INFO((stream.answer->has_error() ? stream.answer->error().message() : ""));
    REQUIRE(stream.answer->has_value());
    return **stream.answer;
  }

  EventLoop loop;
  process::Launcher launcher;
  process::Reaper reaper{loop};
  ExecSessions sessions;
  FileWorkers workers;
  process::OutputLogs logs{"b007"};
  std::optional<StreamServer> server;
  std::string path;

private:
  char folder_[32] = "/tmp/vigil-streams-XXXXXX";
};

}  // namespace vigil::guest::streams
