#include "host/ports/address.hpp"

#include <algorithm>
#include <charconv>

namespace vigil::ports {

namespace {

constexpr std::string_view path_begin = "/v1/instances/", path_middle = "/ports/", host_end = ".localhost";
constexpr std::size_t max_name = 128;

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= max_name &&
           std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'; });
}

std::optional<Wanted> parse_wanted(std::string_view text) {
    if (!is_name(text)) return std::nullopt;
    const bool numeric = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    if (!numeric) return Wanted{std::nullopt, std::string(text)};
    std::uint16_t port = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (failure != std::errc() || port == 0) return std::nullopt;
    return Wanted{port, ""};
}

Refusal no_such_place(const std::string& detail) {
    return {404, "not_found", "no port is named here", detail + "; ask for /v1/instances/VM/ports/PORT/ or for the host PORT--VM.localhost", ""};
}

std::variant<Address, Refusal> by_host(std::string_view label, const http1::RequestHead& head) {
    const auto parting = label.find("--");
    if (parting == std::string_view::npos) return no_such_place("the host " + std::string(label) + ".localhost has no PORT--VM before it");
    const auto wanted = parse_wanted(label.substr(0, parting));
    const auto vm = label.substr(parting + 2);
    if (!wanted || !is_name(vm) || vm.find('.') != std::string_view::npos) return no_such_place("the host names no port of a VM");
    return Address{std::string(vm), *wanted, head.target, ""};
}

std::variant<Address, Refusal> by_path(const http1::RequestHead& head) {
    const std::string_view target = head.target;
    if (!target.starts_with(path_begin)) return no_such_place("nothing else is served on this address");
    const auto after_vm = target.find('/', path_begin.size());
    if (after_vm == std::string_view::npos || !target.substr(after_vm).starts_with(path_middle)) return no_such_place("the path names no port");
    const auto port_at = after_vm + path_middle.size();
    const auto port_end = std::min(target.find_first_of("/?#", port_at), target.size());
    const auto vm = target.substr(path_begin.size(), after_vm - path_begin.size());
    const auto wanted = parse_wanted(target.substr(port_at, port_end - port_at));
    if (!is_name(vm) || !wanted) return no_such_place("the path names no port of a VM");
    const std::string prefix(target.substr(0, port_end));
    const auto rest = target.substr(port_end);
    if (!rest.starts_with('/'))
        return Refusal{308, "moved", "a port's paths begin with a slash", "so that relative links of its pages work", prefix + "/" + std::string(rest)};
    return Address{std::string(vm), *wanted, std::string(rest), prefix};
}

}  // namespace

std::optional<std::string> host_name_of(const std::string& host) {
    std::string_view name = host;
    if (name.starts_with('[')) {
        const auto end = name.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        const auto rest = name.substr(end + 1);
        if (!rest.empty() && rest.front() != ':') return std::nullopt;
        name = name.substr(0, end + 1);
    } else {
        const auto colon = name.find(':');
        if (colon != std::string_view::npos && !std::ranges::all_of(name.substr(colon + 1), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
        name = name.substr(0, colon);
    }
    std::string lower;
    for (const char c : name) {
        const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("-._[]:").find(c) != std::string_view::npos;
        if (!allowed) return std::nullopt;
        lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    if (lower.ends_with('.')) lower.pop_back();
    return lower;
}

std::variant<Address, Refusal> address_of(const http1::RequestHead& head) {
    if (!head.target.starts_with('/'))
        return Refusal{400, "invalid", "the request target is no path", "absolute targets and CONNECT are for proxies that go out, this one goes into VMs", ""};
    const auto host = http1::single_field(head.fields, "host");
    if (!host) return Refusal{400, "invalid", "malformed HTTP", host.error().message(), ""};
    if (!*host && head.minor == 1) return Refusal{400, "invalid", "malformed HTTP", "HTTP/1.1 needs the field Host", ""};
    const auto name = host_name_of(host->value_or(""));
    if (!name) return Refusal{400, "invalid", "malformed HTTP", "the field Host is no host name", ""};
    if (name->ends_with(host_end)) return by_host(std::string_view(*name).substr(0, name->size() - host_end.size()), head);
    return by_path(head);
}

}  // namespace vigil::ports
