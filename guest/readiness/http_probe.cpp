#include "guest/readiness/http_probe.hpp"

#include "guest/readiness/http_reply.hpp"
#include "shared/base/encoding.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace vigil::guest::readiness {
namespace {

using protocol::CauseCode;
using protocol::make_cause;

constexpr std::size_t max_reply_bytes = 64 * 1024;
constexpr std::chrono::milliseconds longest_answer{2000};   // times the deadline scale
constexpr std::chrono::milliseconds longest_delay{1000};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

/// Where to reach a listener on `address`; the any-addresses and names are reached over loopback.
SocketAddress reachable_address(const std::string& address, std::uint16_t port) {
  SocketAddress result;
  in6_addr ipv6{};
  if (inet_pton(AF_INET6, address.c_str(), &ipv6) == 1) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(port);
    to.sin6_addr = IN6_IS_ADDR_UNSPECIFIED(&ipv6) ? in6addr_loopback : ipv6;
    result.length = sizeof to;
    std::memcpy(&result.storage, &to, sizeof to);
    return result;
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &to.sin_addr) != 1 || to.sin_addr.s_addr == htonl(INADDR_ANY)) to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  result.length = sizeof to;
  std::memcpy(&result.storage, &to, sizeof to);
  return result;
}

std::string start_of(const std::string& reply) { return escape_for_terminal(reply.substr(0, 40), Lines::escape); }

}  // namespace

HttpProbe::HttpProbe(const service_spec::HttpProbe& spec, ProbeTools& tools, ProbeEvents events)
    : spec_(spec), tools_(tools), events_(std::move(events)),
      listener_(spec.port, spec.address, tools, {[this] { connect(); }, [this] { events_.finding_changed(); }}) {}

void HttpProbe::connect() {
  const SocketAddress address = reachable_address(spec_.address, spec_.port);
  io_.cancel();
  socket_.reset(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  unsent_ = http_request(spec_.path, spec_.address, spec_.port);
  reply_.clear();
  const int connected = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length);
  if (connected != 0 && errno != EINPROGRESS) return retry(std::strerror(errno), std::nullopt);
  io_ = tools_.loop.watch(socket_.get(), EPOLLOUT, [this](std::uint32_t events) { on_ready(events); });
  overtime_ = tools_.loop.after(longest_answer * tools_.deadline_scale, [this] {
    retry("no answer", make_cause(CauseCode::service_not_answering, {{"port", std::int64_t{spec_.port}}}));
  });
}

void HttpProbe::on_ready(std::uint32_t events) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return retry(std::strerror(error), std::nullopt);
  if ((events & EPOLLOUT) != 0 && !unsent_.empty() && !send_request()) return;
  if ((events & (EPOLLIN | EPOLLHUP)) != 0) read_reply();
}

bool HttpProbe::send_request() {
  const ssize_t sent = send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) {
    retry(std::strerror(errno), std::nullopt);
    return false;
  }
  if (sent > 0) unsent_.erase(0, static_cast<std::size_t>(sent));
  if (unsent_.empty()) tools_.loop.rearm(io_, EPOLLIN);
  return true;
}

void HttpProbe::read_reply() {
  char block[4096];
  bool ended = false;
  while (!ended && reply_.size() < max_reply_bytes) {
    const ssize_t length = recv(socket_.get(), block, sizeof block, 0);
    if (length < 0 && errno == EAGAIN) break;
    ended = length <= 0;
    if (!ended) reply_.append(block, static_cast<std::size_t>(length));
  }
  judge(ended || reply_.size() >= max_reply_bytes);
}

void HttpProbe::judge(bool ended) {
  HttpReply reply;
  const HttpProgress progress = read_http_head(reply_, reply);
  if (progress == HttpProgress::incomplete && !ended) return;
  if (progress != HttpProgress::head_complete) {
    if (reply_.empty()) return retry("connection closed without an answer", make_cause(CauseCode::service_not_answering, {{"port", std::int64_t{spec_.port}}}));
    return retry("not HTTP", make_cause(CauseCode::service_wrong_protocol,
                                        {{"port", std::int64_t{spec_.port}}, {"expected", "http"}, {"got", start_of(reply_)}}));
  }
  if (reply.status != spec_.status) return retry("status " + std::to_string(reply.status), std::nullopt);
  const bool text_found = spec_.body.empty() || decode_body(reply).find(spec_.body) != std::string::npos;
  if (!text_found && !ended) return;
  if (!text_found) return retry("the body does not hold \"" + spec_.body + "\"", std::nullopt);

  io_.cancel();
  overtime_.cancel();
  socket_.reset();
  finding_.reset();
  events_.passed();
}

void HttpProbe::retry(std::string seen, std::optional<protocol::Cause> finding) {
  io_.cancel();
  overtime_.cancel();
  socket_.reset();
  seen_ = std::move(seen);
  retry_ = tools_.loop.after(delay_, [this] { connect(); });
  delay_ = std::min(delay_ * 2, longest_delay);
  if (finding == finding_) return;
  finding_ = std::move(finding);
  events_.finding_changed();
}

}  // namespace vigil::guest::readiness
