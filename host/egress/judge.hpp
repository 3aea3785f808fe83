// May a VM go there? By its policy; and which of the addresses that a name has may be dialled.
#pragma once

#include "host/egress/proxy_request.hpp"
#include "host/machine/egress_policy.hpp"
#include "shared/protocol/cause.hpp"

#include <optional>
#include <vector>

namespace vigil::egress {

/// nullopt: by its name and port it may. Else egress.denied, with why as evidence.
std::optional<protocol::Cause> may_not_go(const machine::EgressPolicy& policy, const Destination& destination);

struct Dialable {
    std::vector<Address> addresses;           // that may be dialled; empty: refused
    std::vector<std::string> left_out;        // "127.0.0.1 is loopback"
};
/// Public ones and those that the policy's networks hold, of the family that it wants.
Dialable choose_addresses(const machine::EgressPolicy& policy, const std::vector<Address>& found);

protocol::Cause denied(const Destination& destination, std::vector<std::string> why);

}  // namespace vigil::egress
