// A listening TCP port of the loopback address, and of no other: what is served on it is not encrypted.
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <string>

namespace vigil::async {

struct LoopbackListener {
    UniqueFd socket;
    int family = 0;
    std::string port;        // the one that was given, when 0 was asked for
    std::string address;     // as a client writes it: 127.0.0.1:8090, [::1]:8090
};

/// `text`: "127.0.0.1:8090", "[::1]:0". Errors: Errc::invalid for what is no ADDRESS:PORT or not of the loopback, with `why_only` why; Errc::conflict when it is taken.
Result<LoopbackListener> listen_loopback(const std::string& text, int backlog, const std::string& why_only);

/// The other end's address; "unix" for a Unix socket.
std::string peer_address(int socket);

}  // namespace vigil::async
