// What a program inside a VM asks of the proxy: CONNECT HOST:PORT, or METHOD http://HOST[:PORT]/PATH.
//
// Shape:  the destination is a name or an address, never both and never in disguise: lower case, no user, no zone, no number that only some would take for an address.
// Errors: Errc::invalid with what is wrong; Errc::unsupported for https:// targets (a client must use CONNECT).
// Source: RFC 9110 9.3.6, RFC 9112 3.2, RFC 3986 3.2; WHATWG URL "ends in a number".
#pragma once

#include "host/egress/address.hpp"
#include "host/http1/body.hpp"
#include "host/http1/head.hpp"

#include <optional>
#include <string>

namespace vigil::egress {

struct Destination {
    std::string host;                  // a name, or an address without brackets
    std::uint16_t port = 0;
    std::optional<Address> address;    // when the host is one
    /// "name:443", "[2001:db8::1]:443".
    std::string text() const;
    friend bool operator==(const Destination&, const Destination&) = default;
};

struct ProxyRequest {
    bool tunnel = false;               // CONNECT
    Destination destination;
    http1::RequestHead onward;         // for the origin server, with a path for a target; not of a tunnel
    http1::Framing framing;
    friend bool operator==(const ProxyRequest&, const ProxyRequest&) = default;
};

Result<ProxyRequest> read_proxy_request(const http1::RequestHead& head);

/// `authority` without a port gets `default_port`; 0: it must have one.
Result<Destination> parse_destination(std::string_view authority, std::uint16_t default_port);

}  // namespace vigil::egress
