// A listening Unix socket, made with the right mode from the first instant. Shared by the API and the guest links.
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <string>

namespace vigil::async {

inline constexpr std::size_t max_socket_path = 107;  // sockaddr_un.sun_path without its NUL

/// Binds and listens (close-on-exec, non-blocking). A socket file that nobody answers on is replaced.
/// Errors: Errc::limit path too long; Errc::conflict somebody answers there, or it is not a socket; else of the system.
Result<UniqueFd> listen_unix(const std::string& path, unsigned mode, int backlog);

}  // namespace vigil::async
