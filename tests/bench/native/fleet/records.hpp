// A state directory as a daemon would have left it: VMs that run, and VMs that ran once.
#pragma once

#include "shared/base/ids.hpp"

#include <filesystem>
#include <vector>

namespace vigil::fleet {

struct Wanted {
  std::size_t running = 0, ended = 0;
};

/// Writes STATE/vigil.db and the directories of the running ones in STATE and RUN. The ids of the running ones. Throws what goes wrong.
std::vector<InstanceId> make_records(const std::filesystem::path& state, const std::filesystem::path& run, const Wanted& wanted);

/// RUN/ID/shim.json: this process is the shim.
void note_shim(const std::filesystem::path& run, const InstanceId& id);

}  // namespace vigil::fleet
