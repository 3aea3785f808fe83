// What of a head goes on to the other side, and what is said in its place.
//
// Shape:  to the guest: fields of one hop are taken out, Host stays, what a client says of who it is (Forwarded, X-Forwarded-*, X-Real-IP) is replaced by what we
//         know, `Prefer: wait` is ours. To the client: fields of one hop are taken out, the connection's end is said.
// Source: RFC 9110 7.6; RFC 7240 (Prefer).
#pragma once

#include "host/http1/body.hpp"
#include "host/http1/head.hpp"
#include "host/ports/address.hpp"

#include <chrono>

namespace vigil::ports {

/// What is asked of us before the guest is asked.
struct Asked {
    http1::Framing framing;
    std::optional<std::string> upgrade;
    std::optional<std::chrono::seconds> wait;   // Prefer: wait=N
    bool keep_alive = false;                    // the client would go on with this connection
};

/// Errc::invalid when the head means two things.
Result<Asked> read_asked(const http1::RequestHead& head);

/// `peer`: the client's address, or "unix".
Result<http1::RequestHead> for_guest(http1::RequestHead head, const Address& address, const Asked& asked, const std::string& peer);

enum class After { keep, close, upgrade };
Result<http1::ResponseHead> for_client(http1::ResponseHead head, After after, int client_minor);

}  // namespace vigil::ports
