// Names to addresses, on the host.
//
// Shape:  the policy's `hosts` first, then the host's resolver on a thread of its own (it blocks). Errors: Errc::not_found with the resolver's words, Errc::timeout.
#pragma once

#include "host/egress/address.hpp"
#include "host/machine/egress_policy.hpp"
#include "shared/base/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>

namespace vigil::egress {

boost::asio::awaitable<Result<std::vector<Address>>> resolve(boost::asio::thread_pool* pool, const machine::EgressPolicy* policy, std::string name,
                                                            std::chrono::milliseconds limit);

}  // namespace vigil::egress
