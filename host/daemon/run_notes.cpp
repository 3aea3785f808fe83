#include "host/daemon/run_notes.hpp"

#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>

namespace vigil::daemon {

namespace fs = std::filesystem;

namespace {
constexpr int mark_width = 20;  // digits of a 64-bit number: rewriting never leaves old ones behind
}

std::uint64_t ConsoleMark::read(const fs::path& run_dir) {
    std::ifstream file(run_dir / "console.offset");
    std::uint64_t offset = 0;
    file >> offset;
    return file ? offset : 0;
}

ConsoleMark::ConsoleMark(const fs::path& run_dir)
    : path_(run_dir / "console.offset"), written_(read(run_dir)) {}

void ConsoleMark::write(std::uint64_t offset) {
    if (offset == written_) return;
    const UniqueFd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));   // the VMM's user may write in this directory
    if (!file) return;
    std::array<char, mark_width + 2> text;
    const int size = std::snprintf(text.data(), text.size(), "%0*llu\n", mark_width, static_cast<unsigned long long>(offset));
    // When it fails the next daemon reads a little again: the store knows the digests, the run its findings.
    if (::pwrite(file.get(), text.data(), static_cast<std::size_t>(size), 0) == size) written_ = offset;
}

}  // namespace vigil::daemon
