// VmState <-> JSON text: a snapshot, from which a replay can begin instead of at the VM's first event. A cache: whoever cannot read one replays the log.
//
// Shape:  decode_state(encode_state(s)) == s for every s that a replay makes.
// Errors: decode_state: Errc::unsupported of another version, Errc::invalid naming the member.
#pragma once

#include "host/machine/vm_state.hpp"
#include "shared/base/result.hpp"

#include <string>
#include <string_view>

namespace vigil::machine {

std::string encode_state(const VmState& state);
Result<VmState> decode_state(std::string_view text);

}  // namespace vigil::machine
