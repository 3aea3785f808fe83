// run/ID/shim.json: who the shim of a run is, for a daemon that comes later. {"run","pid","start_ticks","boot_id"}, written once; gone with the host's boot.
//
// Errors: read_shim_note: Errc::not_found when there is none, Errc::invalid when it cannot be read.
#pragma once

#include "host/shim/process_identity.hpp"
#include "shared/base/ids.hpp"

#include <filesystem>

namespace vigil::shim {

struct ShimNote {
  RunNumber run;
  ProcessIdentity shim;
  std::string boot_id;
};

Result<void> write_shim_note(const std::filesystem::path& run_dir, const ShimNote& note);
Result<ShimNote> read_shim_note(const std::filesystem::path& run_dir);

}  // namespace vigil::shim
