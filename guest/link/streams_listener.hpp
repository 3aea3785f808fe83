// Where the host's streams arrive: vsock port 5253 in a VM of ours, a Unix socket everywhere else.
//
// Errors: listen_vsock(): denied outside a VM of ours (own_vm.hpp), unavailable without a driver. accept_*(): an empty descriptor when nobody waits, or when the one who
//         came is not the host (vsock loopback or a sibling reach the port too): that one is closed and told to `stranger`. A bounded number of them a call: who dials
//         without end must not keep the loop from the rest.
// Source: CONTRACTS "Streams", vsock(7).
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace vigil::guest::link {

Result<UniqueFd> listen_vsock();
UniqueFd accept_vsock(int listener, const std::function<void(std::uint32_t cid)>& stranger);

Result<UniqueFd> listen_unix(const std::string& path);
UniqueFd accept_unix(int listener);

}  // namespace vigil::guest::link
