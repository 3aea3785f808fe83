// Sets the VM's wall clock from the host's, when the difference is more than a person would notice. Only in a VM of ours.
#pragma once

#include "shared/base/clock.hpp"

namespace vigil::guest::init {

/// Nothing when the two differ by at most a second.
void adopt_wall_clock(UnixUs host_unix_us);

}  // namespace vigil::guest::init
