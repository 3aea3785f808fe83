#include "host/cli/guest_stream.hpp"

#include "host/cli/commands.hpp"
#include "shared/framing/frame.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace vigil::cli {

namespace {

constexpr std::size_t max_head_bytes = 64 * 1024, max_problem_bytes = 1 << 20;

Error stream_broke() { return Error(Errc::unavailable, "the stream broke: the VM has ended, or the daemon"); }

Result<void> send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return stream_broke();
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

/// Appends what comes; false at the end.
bool receive_into(int fd, std::string& bytes) {
  char block[64 * 1024];
  ssize_t count = 0;
  do count = ::recv(fd, block, sizeof block, 0);
  while (count < 0 && errno == EINTR);
  if (count > 0) bytes.append(block, static_cast<std::size_t>(count));
  return count > 0;
}

/// The value of a header of the answer's head, or "".
std::string header_of(const std::string& head, std::string_view name) {
  const auto lower = [](std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
  };
  const auto at = lower(head).find("\r\n" + std::string(name) + ":");
  if (at == std::string::npos) return "";
  const auto begin = head.find_first_not_of(' ', at + 3 + name.size());
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

/// The problem document that follows the head of a refusal.
Error refusal(int fd, const std::string& head, std::string body) {
  std::size_t length = 0;
  const auto text = header_of(head, "content-length");
  std::from_chars(text.data(), text.data() + text.size(), length);
  while (body.size() < std::min(length, max_problem_bytes) && receive_into(fd, body)) {
  }
  long status = 0;
  if (head.size() > 12) std::from_chars(head.data() + 9, head.data() + 12, status);
  return problem_error(status, body);
}

}  // namespace

Result<GuestStream> GuestStream::open(const DaemonAddress& daemon, const std::string& vm, const streams::Opening& opening) {
  GuestStream stream;
  TRY(fd, connect_to(daemon));
  stream.fd_ = std::move(fd);
  const auto body = streams::encode(opening);
  const auto authorization = daemon.token.empty() ? std::string() : daemon.authorization() + "\r\n";
  TRY_VOID(send_all(stream.fd(), "POST " + instance_path(vm) + "/streams HTTP/1.1\r\nHost: vigil\r\n" + authorization + "Connection: Upgrade\r\nUpgrade: vigil-stream/1\r\n"
                                 "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body));
  std::string head;
  auto end = std::string::npos;
  while ((end = head.find("\r\n\r\n")) == std::string::npos)
    if (head.size() > max_head_bytes || !receive_into(stream.fd(), head)) return stream_broke();
  auto rest = head.substr(end + 4);
  head.resize(end + 2);
  if (!head.starts_with("HTTP/1.1 101")) return refusal(stream.fd(), head, std::move(rest));
  framing::FrameReader frames(streams::max_answer_bytes);
  frames.feed(rest);
  for (;;) {
    TRY(frame, frames.next());
    if (frame) {
      TRY(facts, streams::decode_answer(*frame));
      stream.facts_json_ = std::move(facts);
      break;
    }
    std::string more;
    if (!receive_into(stream.fd(), more)) return stream_broke();
    frames.feed(more);
  }
  stream.chunks_.feed(frames.take_rest());
  return stream;
}

Result<void> GuestStream::flush() {
  while (!out_.empty()) {
    const ssize_t count = ::send(fd(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return {};
    if (count < 0) return stream_broke();
    out_.erase(0, static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> GuestStream::flush_all() {
  TRY_VOID(send_all(fd(), out_));
  out_.clear();
  return {};
}

Result<void> GuestStream::read_more() {
  std::string bytes;
  if (!receive_into(fd(), bytes)) return stream_broke();
  chunks_.feed(bytes);
  return {};
}

Result<streams::Chunk> GuestStream::receive() {
  for (;;) {
    TRY(chunk, chunks_.next());
    if (chunk) return std::move(*chunk);
    TRY_VOID(read_more());
  }
}

}  // namespace vigil::cli
