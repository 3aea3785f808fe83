#include "host/egress/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace vigil::egress {

namespace {

struct Special {
    const char* network;
    const char* kind;
};

/// First match wins. What is not of 2000::/3 is not routed anywhere.
constexpr Special specials_v4[] = {{"0.0.0.0/8", "this host"},       {"10.0.0.0/8", "private"},           {"100.64.0.0/10", "shared by a carrier"}, {"127.0.0.0/8", "loopback"},
                                   {"168.63.129.16/32", "a cloud's own"}, {"169.254.0.0/16", "link-local"}, {"172.16.0.0/12", "private"},        {"192.0.0.0/24", "of a protocol"},         {"192.0.2.0/24", "documentation"},
                                   {"192.88.99.0/24", "a relay"},    {"192.168.0.0/16", "private"},       {"198.18.0.0/15", "for benchmarks"},       {"198.51.100.0/24", "documentation"},
                                   {"203.0.113.0/24", "documentation"}, {"224.0.0.0/4", "multicast"},     {"240.0.0.0/4", "reserved"}};
constexpr Special specials_v6[] = {{"::/128", "this host"},     {"::1/128", "loopback"},         {"fe80::/10", "link-local"},   {"fc00::/7", "private"},     {"ff00::/8", "multicast"},
                                   {"64:ff9b::/96", "an IPv4 address in disguise"}, {"2002::/16", "an IPv4 address in disguise"}, {"2001::/23", "of a protocol"}, {"2001:db8::/32", "documentation"},
                                   {"3fff::/20", "documentation"}};

struct Network {
    Address address;
    unsigned bits = 0;
};

std::optional<Network> parse_network(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    if (!address || slash == std::string_view::npos) return std::nullopt;
    Network network{*address, 0};
    std::from_chars(text.data() + slash + 1, text.data() + text.size(), network.bits);
    return network;
}

bool holds(const Network& network, const Address& address) {
    if (network.address.ipv6 != address.ipv6 || network.bits > (address.ipv6 ? 128U : 32U)) return false;
    for (unsigned bit = 0; bit < network.bits; ++bit) {
        const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
        if ((network.address.bytes[bit / 8] & mask) != (address.bytes[bit / 8] & mask)) return false;
    }
    return true;
}

}  // namespace

std::string Address::text() const {
    char buffer[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(ipv6 ? AF_INET6 : AF_INET, bytes.data(), buffer, sizeof buffer);
    return buffer;
}

Address from_ipv4(const void* four_bytes) {
    Address address;
    std::memcpy(address.bytes.data(), four_bytes, 4);
    return address;
}

Address from_ipv6(const void* sixteen_bytes) {
    in6_addr in6{};
    std::memcpy(&in6, sixteen_bytes, sizeof in6);
    if (IN6_IS_ADDR_V4MAPPED(&in6)) return from_ipv4(in6.s6_addr + 12);
    Address address{true, {}};
    std::memcpy(address.bytes.data(), sixteen_bytes, 16);
    return address;
}

std::optional<Address> parse_address(std::string_view text) {
    const std::string copy(text);
    in_addr in{};
    in6_addr in6{};
    if (::inet_pton(AF_INET, copy.c_str(), &in) == 1) return from_ipv4(&in);
    if (::inet_pton(AF_INET6, copy.c_str(), &in6) == 1) return from_ipv6(&in6);
    return std::nullopt;
}

std::optional<std::string> special_kind(const Address& address) {
    if (address.ipv6) {
        for (const auto& each : specials_v6)
            if (holds(*parse_network(each.network), address)) return each.kind;
        if ((address.bytes[0] & 0xe0) != 0x20) return "not routed";
        return std::nullopt;
    }
    for (const auto& each : specials_v4)
        if (holds(*parse_network(each.network), address)) return each.kind;
    return std::nullopt;
}

bool in_networks(const Address& address, const std::vector<std::string>& networks) {
    return std::ranges::any_of(networks, [&](const std::string& text) {
        const auto network = parse_network(text);
        return network && holds(*network, address);
    });
}

}  // namespace vigil::egress
