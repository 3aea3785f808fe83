#include "host/daemon/run_notes.hpp"

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
    : file_(::open((run_dir / "console.offset").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)), written_(read(run_dir)) {}

void ConsoleMark::write(std::uint64_t offset) {
    if (!file_ || offset == written_) return;
    std::array<char, mark_width + 2> text;
    const int size = std::snprintf(text.data(), text.size(), "%0*llu\n", mark_width, static_cast<unsigned long long>(offset));
    // When it fails the next daemon reads a little again: the store knows the digests, the run its findings.
    if (::pwrite(file_.get(), text.data(), static_cast<std::size_t>(size), 0) == size) written_ = offset;
}

}  // namespace vigil::daemon
