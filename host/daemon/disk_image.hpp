// A VM's writable disk, made from the image's empty template: a few KiB of new disk, whatever its size.
#pragma once

#include "shared/base/result.hpp"

#include <cstdint>
#include <filesystem>

namespace vigil::daemon {

/// Copies `from` without its holes (shared extents where the file system can), grows the copy to at least `bytes`; complete or not there at all.
/// An existing `to` is left alone. Errors: Errc::limit with "host.disk_full" when the disk is full, else of the system.
Result<void> make_disk(const std::filesystem::path& from, const std::filesystem::path& to, std::uint64_t bytes);

}  // namespace vigil::daemon
