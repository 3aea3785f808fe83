#include "guest/link/streams_listener.hpp"

#include "guest/link/own_vm.hpp"
#include "shared/protocol/control.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include <cerrno>
#include <cstring>

namespace vigil::guest::link {
namespace {

constexpr int streams_backlog = 512;   // all streams that there may be come at once, while programs of the first are still being started
constexpr int strangers_per_call = 16;

Error listen_failed(const std::string& what) { return Error(Errc::unavailable, what + ": " + std::strerror(errno)); }

UniqueFd accept_one(int listener, sockaddr* peer, socklen_t* size) {
  return UniqueFd(::accept4(listener, peer, size, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

}  // namespace

Result<UniqueFd> listen_vsock() {
  if (!inside_a_vm_of_ours()) return Error(Errc::denied, "vsock: this is not the agent of a VM of Vigil");
  UniqueFd fd(::socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return listen_failed("vsock socket");
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = VMADDR_CID_ANY;
  address.svm_port = protocol::streams_port;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return listen_failed("vsock bind");
  if (::listen(fd.get(), streams_backlog) != 0) return listen_failed("vsock listen");
  return fd;
}

UniqueFd accept_vsock(int listener, const std::function<void(std::uint32_t cid)>& stranger) {
  for (int refused = 0; refused < strangers_per_call; ++refused) {
    sockaddr_vm peer{};
    socklen_t size = sizeof peer;
    UniqueFd fd = accept_one(listener, reinterpret_cast<sockaddr*>(&peer), &size);
    if (!fd || peer.svm_cid == VMADDR_CID_HOST) return fd;
    stranger(peer.svm_cid);
  }
  return {};
}

Result<UniqueFd> listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Error(Errc::limit, path + ": a socket's path has at most 107 bytes");
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return listen_failed("socket");
  ::unlink(path.c_str());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return listen_failed(path);
  if (::listen(fd.get(), streams_backlog) != 0) return listen_failed(path);
  return fd;
}

UniqueFd accept_unix(int listener) { return accept_one(listener, nullptr, nullptr); }

}  // namespace vigil::guest::link
