// The composition root: opens what there is one of, puts the parts together, runs, and closes in reverse.
#pragma once

#include "host/daemon/options.hpp"

namespace vigil::daemon {

/// Serves until SIGTERM or SIGINT. VMs go on without us: their shims outlive us and the next daemon adopts them.
/// Errors: everything that keeps it from serving, in one line that names the thing.
Result<void> run_daemon(const Options& options);

}  // namespace vigil::daemon
