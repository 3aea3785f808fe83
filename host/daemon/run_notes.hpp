// What a later daemon must know of a run that is not in the store: who its shim is, and how far its console was read. In run/ID, gone with the host's boot.
//
// Shape:  shim.json {"run","pid","start_ticks","boot_id"}, written once; console.offset, decimal, rewritten in place at every commit of console events.
#pragma once

#include "host/shim/process_identity.hpp"
#include "shared/base/ids.hpp"
#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <cstdint>
#include <filesystem>

namespace vigil::daemon {

struct ShimNote {
    RunNumber run;
    shim::ProcessIdentity shim;
    std::string boot_id;
};

Result<void> write_shim_note(const std::filesystem::path& run_dir, const ShimNote& note);
Result<ShimNote> read_shim_note(const std::filesystem::path& run_dir);

class ConsoleMark {
  public:
    /// 0 when there is none yet.
    static std::uint64_t read(const std::filesystem::path& run_dir);
    explicit ConsoleMark(const std::filesystem::path& run_dir);
    void write(std::uint64_t offset);

  private:
    UniqueFd file_;
    std::uint64_t written_ = 0;
};

}  // namespace vigil::daemon
