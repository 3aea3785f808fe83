// Opens a plan's files and binds its listeners with the shim's own rights, for the VMM to inherit.
#pragma once

#include "host/vmm/launch_plan.hpp"
#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <vector>

namespace vigil::shim {

struct Opened { UniqueFd source; int target = -1; };

/// Errors: names the path that cannot be opened or bound.
Result<std::vector<Opened>> open_for_vmm(const vmm::LaunchPlan& plan);

}  // namespace vigil::shim
