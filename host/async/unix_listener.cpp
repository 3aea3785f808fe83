#include "host/async/unix_listener.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace vigil::async {

namespace {

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    return address;
}

UniqueFd make_socket() { return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

/// Takes a dead predecessor's socket file away; refuses to touch anything else.
Result<void> clear_path(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return {};
    if (!S_ISSOCK(status.st_mode)) return Error(Errc::conflict, path + ": exists and is not a socket");
    const auto address = address_of(path);
    const UniqueFd probe = make_socket();
    const int connected = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    if (connected == 0 || errno == EAGAIN) return Error(Errc::conflict, path + ": another process listens on it");
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return Error::from_errno("unlink " + path, errno);
    return {};
}

}  // namespace

Result<UniqueFd> listen_unix(const std::string& path, unsigned mode, int backlog) {
    if (path.size() > max_socket_path)
        return Error(Errc::limit, path + ": a socket path may have " + std::to_string(max_socket_path) + " bytes, this has " +
                                      std::to_string(path.size()) + "; choose a shorter --run or --socket");
    TRY_VOID(clear_path(path));
    UniqueFd listener = make_socket();
    if (!listener) return Error::from_errno("socket", errno);
    // The mode is on the socket before it has a name: bind(2) takes it from the inode, so there is no moment at which others may connect.
    if (::fchmod(listener.get(), mode) != 0) return Error::from_errno("fchmod " + path, errno);
    const auto address = address_of(path);
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
        return Error::from_errno("bind " + path, errno);
    if (::chmod(path.c_str(), mode) != 0) return Error::from_errno("chmod " + path, errno);
    if (::listen(listener.get(), backlog) != 0) return Error::from_errno("listen " + path, errno);
    return listener;
}

}  // namespace vigil::async
