// Which VM and port a request means.
//
// Shape:  by host, `PORT--VM.localhost[:any]`: the target goes to the guest as it is. By path, `/v1/instances/VM/ports/PORT/rest`: `/rest` goes to the guest and
//         the part before is its prefix. PORT is a number or the name of a service; VM a name, an id or its prefix. The first "--" of the host parts them.
// Errors: a Refusal: 400 for targets that are no path, 404 for what names no port, 308 where a path lacks its slash.
// Source: RFC 9112 3.2; RFC 6761 6.3 (localhost names are this machine's).
#pragma once

#include "host/http1/head.hpp"
#include "host/ports/refusal.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace vigil::ports {

struct Wanted {
    std::optional<std::uint16_t> port;
    std::string service;                 // when it is no number
    std::string text() const { return port ? std::to_string(*port) : service; }
    friend bool operator==(const Wanted&, const Wanted&) = default;
};

struct Address {
    std::string vm;
    Wanted wanted;
    std::string target;                  // for the guest
    std::string prefix;                  // of the path; empty when the host named the port
    friend bool operator==(const Address&, const Address&) = default;
};

std::variant<Address, Refusal> address_of(const http1::RequestHead& head);

/// Host without its port, lower case; nullopt when it is malformed. "[::1]" keeps its brackets.
std::optional<std::string> host_name_of(const std::string& host);

}  // namespace vigil::ports
