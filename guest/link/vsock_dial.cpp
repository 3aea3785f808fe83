#include "guest/link/vsock_dial.hpp"

#include "guest/link/own_vm.hpp"

#include <sys/socket.h>

#include <linux/vm_sockets.h>

#include <cerrno>
#include <cstring>

namespace vigil::guest::link {
Result<UniqueFd> VsockDialler::dial() {
  if (!inside_a_vm_of_ours()) return Error(Errc::denied, "vsock: this is not the agent of a VM of Vigil");
  UniqueFd fd(::socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return Error(Errc::unavailable, std::string("vsock socket: ") + std::strerror(errno));
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = VMADDR_CID_HOST;
  address.svm_port = port_;
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EINPROGRESS) return fd;
  return Error(Errc::unavailable, std::string("vsock connect: ") + std::strerror(errno));
}

}  // namespace vigil::guest::link
