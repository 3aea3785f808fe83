// What a later daemon must know of a run that is not in the store: how far its console was read. In run/ID, gone with the host's boot (as is shim_note).
//
// Shape:  console.offset, decimal, rewritten in place at every commit of console events; opened for that alone: a descriptor a VM is worth more.
#pragma once

#include <cstdint>
#include <filesystem>

namespace vigil::daemon {

class ConsoleMark {
  public:
    /// 0 when there is none yet.
    static std::uint64_t read(const std::filesystem::path& run_dir);
    explicit ConsoleMark(const std::filesystem::path& run_dir);
    void write(std::uint64_t offset);

  private:
    std::filesystem::path path_;
    std::uint64_t written_ = 0;
};

}  // namespace vigil::daemon
