#include "host/egress/proxy_request.hpp"

#include "host/http1/hop.hpp"

#include <algorithm>
#include <charconv>

namespace vigil::egress {

namespace {

constexpr std::string_view http_scheme = "http://";
constexpr std::size_t max_name_bytes = 253, max_label_bytes = 63;

Error wrong(std::string what) { return Error(Errc::invalid, std::move(what)); }

/// "0x7f.1", "2130706433" and their kind: names to some, addresses to others.
bool ends_in_a_number(std::string_view name) {
    const auto last = name.substr(name.rfind('.') + 1);   // npos + 1 is 0
    const bool decimal = !last.empty() && std::ranges::all_of(last, [](char c) { return c >= '0' && c <= '9'; });
    return decimal || last.starts_with("0x");
}

bool is_name(std::string_view name) {
    if (name.empty() || name.size() > max_name_bytes) return false;
    while (!name.empty()) {
        const auto dot = std::min(name.find('.'), name.size());
        const auto label = name.substr(0, dot);
        const bool allowed = std::ranges::all_of(label, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; });
        if (label.empty() || label.size() > max_label_bytes || !allowed) return false;
        if (dot + 1 == name.size()) return false;
        name.remove_prefix(std::min(dot + 1, name.size()));
    }
    return true;
}

std::string lowered(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return lower;
}

Result<void> read_tunnel(const http1::RequestHead& head, ProxyRequest& request) {
    request.tunnel = true;
    TRY(destination, parse_destination(head.target, 0));
    request.destination = destination;
    const bool has_body = request.framing.kind != http1::Framing::Kind::none && (request.framing.kind != http1::Framing::Kind::length || request.framing.length != 0);
    if (has_body) return wrong("CONNECT with a body: it would not be clear where the tunnel begins");
    return {};
}

Result<void> read_forward(const http1::RequestHead& head, ProxyRequest& request) {
    const std::string_view target = head.target;
    if (head.method == "TRACE") return Error(Errc::unsupported, "TRACE is not served: who answers it shows all that was sent, an upstream proxy's credentials too (RFC 9110 9.3.8)");
    if (target.starts_with('/') || target == "*") return wrong("this is a proxy: the target must be http://HOST/PATH, or the method CONNECT");
    if (lowered(target.substr(0, 8)) == "https://") return Error(Errc::unsupported, "https goes through CONNECT");
    if (lowered(target.substr(0, http_scheme.size())) != http_scheme) return wrong("only http:// targets are served");
    const auto rest = target.substr(http_scheme.size());
    const auto end = std::min(rest.find_first_of("/?#"), rest.size());
    TRY(destination, parse_destination(rest.substr(0, end), 80));
    request.destination = destination;
    auto path = rest.substr(end);
    if (path.find('#') != std::string_view::npos) return wrong("a target has no fragment");
    request.onward = head;
    request.onward.target = (path.starts_with('/') ? "" : "/") + std::string(path);
    TRY_VOID(http1::remove_hop_fields(request.onward.fields));
    // RFC 9112 3.2.2: the target's host stands, whatever Host says.
    http1::remove_fields(request.onward.fields, "host");
    auto& fields = request.onward.fields;
    const auto text = request.destination.text();
    fields.insert(fields.begin(), {"Host", request.destination.port == 80 ? text.substr(0, text.rfind(':')) : text});
    fields.push_back({"Connection", "close"});
    return {};
}

}  // namespace

std::string Destination::text() const { return (address && address->ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port); }

Result<Destination> parse_destination(std::string_view authority, std::uint16_t default_port) {
    if (authority.find('@') != std::string_view::npos) return wrong("a host with a user before it");
    Destination destination;
    std::string_view port;
    if (authority.starts_with('[')) {
        const auto end = authority.find(']');
        if (end == std::string_view::npos) return wrong("a bracket that is not closed");
        const auto inside = authority.substr(1, end - 1);
        if (inside.find(':') == std::string_view::npos) return wrong("brackets hold IPv6 addresses");
        destination.address = parse_address(inside);
        if (!destination.address) return wrong("no IPv6 address in the brackets (zones are not served)");
        port = authority.substr(end + 1);
    } else {
        const auto colon = std::min(authority.find(':'), authority.size());
        auto host = authority.substr(0, colon);
        if (host.ends_with('.')) host.remove_suffix(1);
        destination.host = lowered(host);
        port = authority.substr(colon);
        if (ends_in_a_number(destination.host)) {
            destination.address = parse_address(destination.host);
            if (!destination.address || destination.address->text() != destination.host) return wrong("a number that is no IPv4 address in four plain decimals");
        } else if (!is_name(destination.host)) {
            return wrong("not a host name");
        }
    }
    if (destination.address) destination.host = destination.address->text();
    if (port.empty()) {
        if (default_port == 0) return wrong("CONNECT needs HOST:PORT");
        destination.port = default_port;
        return destination;
    }
    if (port.front() != ':') return wrong("something between the host and its port");
    port.remove_prefix(1);
    const auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), destination.port);
    if (failure != std::errc() || end != port.data() + port.size() || port.empty() || destination.port == 0) return wrong("not a port");
    return destination;
}

Result<ProxyRequest> read_proxy_request(const http1::RequestHead& head) {
    ProxyRequest request;
    TRY(framing, http1::request_framing(head));
    request.framing = framing;
    TRY(host, http1::single_field(head.fields, "host"));
    if (head.minor == 1 && !host) return wrong("HTTP/1.1 needs the field Host");
    TRY_VOID(head.method == "CONNECT" ? read_tunnel(head, request) : read_forward(head, request));
    return request;
}

}  // namespace vigil::egress
