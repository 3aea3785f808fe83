#include "host/daemon/run_notes.hpp"

#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>

namespace vigil::daemon {

namespace fs = std::filesystem;

namespace {
constexpr int mark_width = 20;  // digits of a 64-bit number: rewriting never leaves old ones behind
}

Result<void> write_shim_note(const fs::path& run_dir, const ShimNote& note) {
    const nlohmann::json json = {{"run", note.run.value()}, {"pid", note.shim.pid}, {"start_ticks", note.shim.start_ticks}, {"boot_id", note.boot_id}};
    const auto text = dump_json(json);
    const auto path = run_dir / "shim.json", unfinished = run_dir / "shim.json.new";
    const UniqueFd file(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file) return Error::from_errno("open " + unfinished.string(), errno);
    if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return Error::from_errno("write " + unfinished.string(), errno);
    if (::rename(unfinished.c_str(), path.c_str()) != 0) return Error::from_errno("rename to " + path.string(), errno);
    return {};
}

Result<ShimNote> read_shim_note(const fs::path& run_dir) {
    std::ifstream file(run_dir / "shim.json");
    if (!file) return Error(Errc::not_found, "no " + (run_dir / "shim.json").string());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    TRY(json, parse_json(text));
    TRY(run, read_integer(json, "run", 1, std::numeric_limits<std::uint32_t>::max()));
    TRY(pid, read_integer(json, "pid", 1));
    TRY(ticks, read_integer(json, "start_ticks"));
    TRY(boot_id, read_string(json, "boot_id"));
    return ShimNote{RunNumber(static_cast<std::uint32_t>(run)), {pid, static_cast<std::uint64_t>(ticks)}, boot_id};
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
