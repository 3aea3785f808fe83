#include "guest/signin/open_url.hpp"

#include "guest/log/log.hpp"
#include "guest/process/remove_tree.hpp"
#include "shared/signin/provider.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace vigil::guest::signin {

namespace {

constexpr std::size_t max_visitors = 8;
constexpr std::chrono::milliseconds visit_deadline{5'000};
constexpr const char* browser_names[] = {"open-url", "xdg-open", "sensible-browser", "x-www-browser", "www-browser"};

bool fill_address(sockaddr_un& address, const std::string& path) {
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return true;
}

bool is_allowed(int socket, uid_t user) {
  ucred peer{};
  socklen_t length = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && (peer.uid == user || peer.uid == 0);
}

}  // namespace

Result<std::unique_ptr<OpenUrlDoor>> OpenUrlDoor::open(EventLoop& loop, std::string directory, const std::string& program, uid_t user,
                                                       std::function<void(std::string)> asked) {
  auto door = std::make_unique<OpenUrlDoor>(loop, std::move(directory), user, std::move(asked));
  TRY_VOID(door->set_up(program));
  return door;
}

Result<void> OpenUrlDoor::set_up(const std::string& program) {
  if (::mkdir(directory_.c_str(), 0755) != 0) return Error::from_errno(directory_, errno);
  for (const char* const name : browser_names)
    if (::symlink(program.c_str(), (directory_ + "/" + name).c_str()) != 0) return Error::from_errno(directory_ + "/" + name, errno);
  sockaddr_un address{};
  if (!fill_address(address, socket())) return Error(Errc::limit, socket() + ": longer than a socket's path may be");
  listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener_ || ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), max_visitors) != 0)
    return Error::from_errno(socket(), errno);
  // Outside a VM the agent need not be root; then it is the user itself.
  if (::chown(socket().c_str(), user_, static_cast<gid_t>(-1)) != 0 && user_ != ::geteuid()) return Error::from_errno(socket(), errno);
  ::chmod(socket().c_str(), 0600);
  token_ = loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { let_in(); });
  return {};
}

OpenUrlDoor::~OpenUrlDoor() { process::remove_tree(directory_); }

void OpenUrlDoor::let_in() {
  UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return;
  if (visitors_.size() >= max_visitors || !is_allowed(fd.get(), user_))
    return log::warning("signin.url_refused", {{"visitors", visitors_.size()}});
  const Place place = visitors_.emplace(visitors_.end());
  place->fd = std::move(fd);
  place->io = loop_.watch(place->fd.get(), EPOLLIN, [this, place](std::uint32_t) { hear(place); });
  place->deadline = loop_.after(visit_deadline, [this, place] { visitors_.erase(place); });
}

void OpenUrlDoor::hear(Place visitor) {
  char block[2048];
  const ssize_t count = ::recv(visitor->fd.get(), block, sizeof block, 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count > 0) visitor->line.append(block, static_cast<std::size_t>(count));
  const auto end = visitor->line.find('\n');
  if (end == std::string::npos && count > 0 && visitor->line.size() <= vigil::signin::max_url_bytes) return;
  std::string url = end == std::string::npos ? "" : visitor->line.substr(0, end);
  if (!url.empty()) [[maybe_unused]]
    const auto sent = ::send(visitor->fd.get(), "ok\n", 3, MSG_NOSIGNAL);
  visitors_.erase(visitor);
  if (!url.empty()) asked_(std::move(url));   // may end us: last
}

int hand_over_url(const std::string& url) {
  const char* const path = std::getenv(open_url_variable);
  sockaddr_un address{};
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const bool reached = path != nullptr && fill_address(address, path) && fd &&
                       ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (!reached) {
    std::fprintf(stderr, "vigil-guest: no sign-in waits for an address (%s)\n",
                 path == nullptr ? "VIGIL_OPEN_URL is not set" : std::strerror(errno));
    return 3;
  }
  const std::string line = url + "\n";
  const timeval patience{5, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  char answer[4];
  const bool taken = ::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size()) &&
                     ::recv(fd.get(), answer, sizeof answer, 0) > 0;
  return taken ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace vigil::guest::signin
