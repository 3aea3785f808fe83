// One tar.zst: written whole or not at all, read entry by entry.
//
// Errors: of the system and of libarchive, naming the file; Errc::limit with "host.disk_full" when the disk is full; Errc::not_found for an entry that is not there.
// Thread: blocking; any.
#pragma once

#include "shared/base/clock.hpp"
#include "shared/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::blackbox {

class ArchiveWriter {
  public:
    /// Writes beside `path`; finish() gives it its name.
    explicit ArchiveWriter(std::filesystem::path path);
    ArchiveWriter(const ArchiveWriter&) = delete;
    ArchiveWriter& operator=(const ArchiveWriter&) = delete;
    ~ArchiveWriter();   // without finish(): nothing is left

    Result<void> open();
    Result<void> add(const std::string& name, std::string_view bytes, UnixUs at_unix_us);
    Result<void> finish();

  private:
    struct Handle;
    Error failed(const std::string& what) const;
    std::filesystem::path path_, unfinished_;
    std::unique_ptr<Handle> handle_;
};

struct Entry {
    std::string name;
    std::uint64_t bytes = 0;
};

Result<std::vector<Entry>> list_entries(const std::filesystem::path& archive);
/// At most `max_bytes` of it.
Result<std::string> read_entry(const std::filesystem::path& archive, std::string_view name, std::size_t max_bytes);
/// Files directly in `folder` ("services") of the archive into `target`, which is made; at most `max_bytes` in all.
Result<void> extract_folder(const std::filesystem::path& archive, const std::string& folder, const std::filesystem::path& target, std::uint64_t max_bytes);

}  // namespace vigil::blackbox
