// `vigild store check|rebuild`: the tables of a store that no daemon uses, against its log.
#pragma once

#include "host/daemon/options.hpp"

namespace vigil::daemon {

/// What the program ends with: 0 the tables are what the log leads to, or are now; 1 they differ; 2 it could not be done, the reason is on stderr.
int run_store_command(const Options& options);

}  // namespace vigil::daemon
