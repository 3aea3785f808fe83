// Addresses as the policy sees them: IPv4 and IPv6 in one form, an IPv4 address inside IPv6 as what it is.
//
// Source: IANA special-purpose address registries (RFC 6890 and its updates).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::egress {

struct Address {
    bool ipv6 = false;
    std::array<std::uint8_t, 16> bytes{};   // network order; the first 4 for IPv4
    std::string text() const;
    friend bool operator==(const Address&, const Address&) = default;
};

/// "192.0.2.1", "2001:db8::1" (no brackets, no zone). ::ffff:a.b.c.d becomes a.b.c.d.
std::optional<Address> parse_address(std::string_view text);
Address from_ipv4(const void* four_bytes);
Address from_ipv6(const void* sixteen_bytes);

/// Why it is not of the public internet ("loopback", "link-local", "private", ...); nullopt: it is.
std::optional<std::string> special_kind(const Address& address);

/// Whether one of the CIDRs holds it.
bool in_networks(const Address& address, const std::vector<std::string>& networks);

}  // namespace vigil::egress
