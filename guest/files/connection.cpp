#include "guest/files/connection.hpp"

#include "shared/framing/frame.hpp"
#include "shared/protocol/control.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace vigil::guest::files {

using streams::Channel;

namespace {

constexpr int linger_ms = 30'000;
const char* const host_gone = "the host has gone";

}  // namespace

Connection::Connection(int fd, std::string_view already_read) : fd_(fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  chunks_.feed(already_read);
}

Result<void> Connection::accept(const std::string& facts_json) { return write(framing::make_frame(streams::encode_answer(facts_json))); }

void Connection::refuse(const Error& error) {
  auto bytes = framing::make_frame(streams::encode_answer(error));
  streams::append_end(bytes, Channel::control);
  if (write(bytes)) wait_for_close();
}

Result<void> Connection::send(Channel channel, std::string_view bytes) {
  std::string out;
  streams::append_chunks(out, channel, bytes);
  return write(out);
}

void Connection::finish(const streams::Control& last, Channel ended) {
  std::string bytes;
  streams::append_end(bytes, ended);
  streams::append_chunks(bytes, Channel::control, streams::encode(last));
  streams::append_end(bytes, Channel::control);
  if (write(bytes)) wait_for_close();
}

Result<streams::Chunk> Connection::receive() {
  for (;;) {
    TRY(chunk, chunks_.next());
    if (chunk) return std::move(*chunk);
    char block[64 * 1024];
    const ssize_t count = ::recv(fd_.get(), block, sizeof block, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Error(Errc::unavailable, host_gone);
    chunks_.feed({block, static_cast<std::size_t>(count)});
  }
}

Result<void> Connection::wait_for(int fd) {
  for (;;) {
    pollfd waits[2] = {{fd, POLLIN, 0}, {fd_.get(), POLLIN | POLLRDHUP, 0}};
    if (::poll(waits, 2, -1) < 0 && errno != EINTR) return Error::from_errno("poll", errno);
    if (waits[1].revents != 0) {
      char ignored[4096];
      const ssize_t count = ::recv(fd_.get(), ignored, sizeof ignored, MSG_DONTWAIT);
      const bool is_closed =
          count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) || (waits[1].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
      if (is_closed) return Error(Errc::unavailable, host_gone);
    }
    if (waits[0].revents != 0) return {};
  }
}

Result<void> Connection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_.get(), bytes.data(), std::min(bytes.size(), protocol::max_guest_send_bytes), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error(Errc::unavailable, host_gone);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

/// What is on its way may be lost when the sender closes first.
void Connection::wait_for_close() {
  char ignored[4096];
  pollfd readable{fd_.get(), POLLIN, 0};
  while (::poll(&readable, 1, linger_ms) > 0)
    if (::recv(fd_.get(), ignored, sizeof ignored, 0) <= 0) return;
}

}  // namespace vigil::guest::files
