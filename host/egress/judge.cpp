#include "host/egress/judge.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace vigil::egress {

using machine::EgressFamily;
using machine::EgressMode;

namespace {

bool host_matches(const std::string& pattern, const Destination& destination) {
    if (pattern == "*") return true;
    if (destination.address) {
        const auto address = parse_address(pattern);
        return address && *address == *destination.address;
    }
    if (pattern.starts_with("*.")) return destination.host.size() > pattern.size() - 1 && destination.host.ends_with(pattern.substr(1));
    return pattern == destination.host;
}

bool rule_allows(const machine::EgressRule& rule, const Destination& destination) {
    const bool port = rule.ports.empty() || std::ranges::find(rule.ports, destination.port) != rule.ports.end();
    return port && host_matches(rule.host, destination);
}

/// Names that mean the resolver's own machine, or its cloud's metadata, to whoever resolves them.
bool is_of_the_machine(const std::string& host) {
    constexpr std::string_view names[] = {"localhost", "metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"};
    return host.ends_with(".localhost") || std::ranges::find(names, host) != std::end(names);
}

bool names_itself(const machine::EgressPolicy& policy, const Destination& destination) {
    return std::ranges::any_of(policy.allow, [&](const auto& rule) { return rule.host == destination.host && rule_allows(rule, destination); });
}

}  // namespace

protocol::Cause denied(const Destination& destination, std::vector<std::string> why) {
    return protocol::make_cause(protocol::CauseCode::egress_denied, {{"host", destination.text()}}, std::move(why));
}

std::optional<protocol::Cause> may_not_go(const machine::EgressPolicy& policy, const Destination& destination) {
    if (policy.mode == EgressMode::deny) return denied(destination, {"the policy is deny"});
    const bool by_rules = policy.mode == EgressMode::allow || (policy.mode == EgressMode::upstream && !policy.allow.empty());
    const bool allowed = std::ranges::any_of(policy.allow, [&](const auto& rule) { return rule_allows(rule, destination); });
    if (by_rules && !allowed) return denied(destination, {"no rule of the policy allows it"});
    // Through an upstream proxy names are resolved there; what means a machine of the host's side is checked here: such a name, and an address.
    if (policy.mode == EgressMode::upstream && is_of_the_machine(destination.host) && !names_itself(policy, destination))
        return denied(destination, {destination.host + " would be the upstream proxy's own machine or its cloud's metadata; only a rule of that name can allow it"});
    if (destination.address && choose_addresses(policy, {*destination.address}).addresses.empty())
        return denied(destination, choose_addresses(policy, {*destination.address}).left_out);
    return std::nullopt;
}

Dialable choose_addresses(const machine::EgressPolicy& policy, const std::vector<Address>& found) {
    Dialable dialable;
    for (const auto& address : found) {
        const bool family = policy.family == EgressFamily::any || (policy.family == EgressFamily::ipv6) == address.ipv6;
        const auto special = special_kind(address);
        if (!family) dialable.left_out.push_back(address.text() + " is not of the family that the policy wants");
        else if (special && !in_networks(address, policy.networks)) dialable.left_out.push_back(address.text() + " is " + *special + "; only `networks` of the policy can allow it");
        else dialable.addresses.push_back(address);
    }
    return dialable;
}

}  // namespace vigil::egress
