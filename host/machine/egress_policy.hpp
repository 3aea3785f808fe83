// What of the outside a VM may reach: the create body's `egress`, validated.
//
// Shape:  a string ("deny", "direct") or an object {mode, allow, networks, hosts, family, upstream}. `allow` holds "HOST[:PORT[,PORT]]": HOST a name, "*.name" (what is
//         below it), "*" or an address ([v6] in brackets); without ports 80 and 443; "*" for every port. `networks`: CIDRs that are not public but may be dialled all
//         the same. `hosts`: names resolved here and nowhere else. `upstream`: {"proxy":"HOST:PORT","credentials":"NAME"}, NAME a file of the daemon's state.
// Errors: Errc::invalid naming the member.
#pragma once

#include "shared/base/enum_names.hpp"
#include "shared/base/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::machine {

enum class EgressMode { deny, allow, direct, upstream };
enum class EgressFamily { any, ipv4, ipv6 };

struct EgressRule {
  std::string host;                             // lower case; "*", "*.example.com", "example.com", "192.0.2.1", "2001:db8::1"
  std::vector<std::uint16_t> ports;             // empty: every port
  friend bool operator==(const EgressRule&, const EgressRule&) = default;
};

struct EgressUpstream {
  std::string host;
  std::uint16_t port = 0;
  std::string credentials;                      // name of a file in state/egress; empty: none are sent
  friend bool operator==(const EgressUpstream&, const EgressUpstream&) = default;
};

struct EgressPolicy {
  EgressMode mode = EgressMode::deny;
  std::vector<EgressRule> allow;
  std::vector<std::string> networks;            // "10.0.0.0/8"; checked by who dials
  std::map<std::string, std::string> hosts;     // lower-case name -> address
  EgressFamily family = EgressFamily::any;
  std::optional<EgressUpstream> upstream;
  friend bool operator==(const EgressPolicy&, const EgressPolicy&) = default;
};

Result<EgressPolicy> parse_egress_policy(std::string_view json);

}  // namespace vigil::machine

namespace vigil {
template <> inline constexpr auto enum_table<machine::EgressMode> = make_enum_table<machine::EgressMode>({
    {machine::EgressMode::deny, "deny"}, {machine::EgressMode::allow, "allow"}, {machine::EgressMode::direct, "direct"}, {machine::EgressMode::upstream, "upstream"}});
template <> inline constexpr auto enum_table<machine::EgressFamily> = make_enum_table<machine::EgressFamily>({
    {machine::EgressFamily::any, "any"}, {machine::EgressFamily::ipv4, "ipv4"}, {machine::EgressFamily::ipv6, "ipv6"}});
}  // namespace vigil
