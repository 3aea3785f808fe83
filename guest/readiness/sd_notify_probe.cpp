#include "guest/readiness/sd_notify_probe.hpp"

#include "guest/process/process_end.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace vigil::guest::readiness {
namespace {

constexpr std::size_t max_datagram = 4096;
constexpr std::size_t max_status = 200;
constexpr int datagrams_per_turn = 32;
constexpr std::size_t max_descriptors = 16;   // the kernel drops what does not fit

struct Sender { pid_t pid = 0; uid_t uid = 0; };

struct Datagram {
  std::string text;
  std::optional<Sender> sender;
};

/// The sender's credentials; descriptors that came along (FDSTORE, BARRIER) are closed, we keep none.
std::optional<Sender> take_control(msghdr& message) {
  std::optional<Sender> sender;
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr; control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level != SOL_SOCKET) continue;
    if (control->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials{};
      std::memcpy(&credentials, CMSG_DATA(control), sizeof credentials);
      sender = Sender{credentials.pid, credentials.uid};
    } else if (control->cmsg_type == SCM_RIGHTS) {
      for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= control->cmsg_len; at += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, reinterpret_cast<const unsigned char*>(control) + at, sizeof fd);
        close(fd);
      }
    }
  }
  return sender;
}

std::optional<Datagram> receive_datagram(int socket) {
  char text[max_datagram];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * max_descriptors)];
  iovec part{text, sizeof text};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (length < 0) return std::nullopt;
  const std::optional<Sender> sender = take_control(message);
  return Datagram{{text, static_cast<std::size_t>(length)}, sender};
}

}  // namespace

Notification parse_notification(std::string_view datagram) {
  Notification notification;
  while (!datagram.empty()) {
    const std::size_t end = std::min(datagram.find('\n'), datagram.size());
    const std::string_view line = datagram.substr(0, end);
    datagram.remove_prefix(std::min(end + 1, datagram.size()));
    if (line == "READY=1") notification.ready = true;
    if (line.starts_with("STATUS=")) notification.status = std::string(line.substr(7, max_status));
  }
  return notification;
}

SdNotifyProbe::SdNotifyProbe(const ServiceName& service, ProbeTools& tools, ProbeEvents events)
    : service_(service), loop_(tools.loop), directory_(tools.runtime_dir + "/notify"), path_(directory_ + "/" + service.value()),
      events_(std::move(events)) {}

SdNotifyProbe::~SdNotifyProbe() {
  if (socket_) unlink(path_.c_str());
}

Result<void> SdNotifyProbe::prepare(process::LaunchPlan& plan) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) return Error(Errc::limit, "notify socket's path is too long: " + path_);
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  mkdir(directory_.c_str(), 0711);
  unlink(path_.c_str());
  socket_.reset(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) return Error::from_errno("notify socket", errno);
  const int on = 1;
  setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return Error::from_errno("bind " + path_, errno);
  chmod(path_.c_str(), 0666);   // whoever writes is judged by the kernel's word, not by the file's mode
  plan.env.push_back("NOTIFY_SOCKET=" + path_);
  if (plan.credentials) uid_ = plan.credentials->uid;
  return {};
}

void SdNotifyProbe::begin(const process::ProcessGroup& group) {
  group_ = group;
  if (!socket_) return;
  token_ = loop_.watch(socket_.get(), EPOLLIN, [this](std::uint32_t) { receive(); });
}

void SdNotifyProbe::receive() {
  bool ready = false;
  for (int count = 0; count < datagrams_per_turn; ++count) {
    const std::optional<Datagram> datagram = receive_datagram(socket_.get());
    if (!datagram) break;
    if (!datagram->sender || !is_of_service(datagram->sender->pid, datagram->sender->uid)) continue;
    Notification notification = parse_notification(datagram->text);
    if (!notification.status.empty()) status_ = std::move(notification.status);
    ready = ready || notification.ready;
  }
  if (!ready || std::exchange(passed_, true)) return;
  events_.passed();
}

bool SdNotifyProbe::is_of_service(pid_t pid, uid_t uid) const {
  if (group_.contains(pid)) return true;
  const auto stat = process::read_stat(pid);
  const bool gone = !stat || stat->state == 'Z' || stat->state == 'X';
  return gone && (uid == uid_ || uid == 0);
}

}  // namespace vigil::guest::readiness
