// Names to addresses, on the host.
//
// Shape:  the policy's `hosts` first, then the host's resolver. Errors: those of Lookups::find.
#pragma once

#include "host/egress/lookups.hpp"
#include "host/machine/egress_policy.hpp"

namespace vigil::egress {

boost::asio::awaitable<Addresses> resolve(Lookups* lookups, const machine::EgressPolicy* policy, std::string name,
                                          std::chrono::milliseconds limit);

}  // namespace vigil::egress
