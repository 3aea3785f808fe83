// The console of one run on its way into events, and how far it has been read for good.
//
// Shape:  bytes come with their offset; the mark advances to the last line end whose events were committed, so that a restarted daemon goes on there.
//         Findings that the run's state holds already (read again after a restart) are left out; the store knows the digests.
#pragma once

#include "host/console/console_reader.hpp"
#include "host/daemon/run_notes.hpp"
#include "host/machine/vm_state.hpp"

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace vigil::daemon {

class RunConsole {
  public:
    RunConsole(const std::filesystem::path& run_dir, const Clock& clock);

    std::vector<machine::EventBody> feed(std::uint64_t offset, std::string_view bytes, const machine::VmState& state);
    std::vector<machine::EventBody> flush() { return reader_.flush(); }
    std::vector<machine::EventBody> finish() { return reader_.finish(clock_.mono_us()); }
    bool open() const { return reader_.open(); }
    std::vector<std::string> tail() const { return reader_.tail(); }
    std::uint64_t read_to() const { return read_to_; }
    /// All that was fed so far has been committed.
    void committed() { mark_.write(line_end_); }

  private:
    console::ConsoleReader reader_;
    ConsoleMark mark_;
    const Clock& clock_;
    std::uint64_t line_end_ = 0, read_to_ = 0;
};

}  // namespace vigil::daemon
