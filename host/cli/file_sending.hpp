// A file sent into a VM by a stream that was opened for it: the bytes, their end, the guest's last word.
#pragma once

#include "host/cli/guest_stream.hpp"

#include <cstdint>
#include <optional>

namespace vigil::cli {

/// The last word of a file stream: how many bytes there were; nullopt: this chunk is another word.
Result<std::optional<std::uint64_t>> done_of(const streams::Chunk& chunk);

/// Everything that `fd` has. Errors: of the file; what the guest says.
Result<std::uint64_t> send_file(GuestStream& stream, int fd, const std::string& name);

}  // namespace vigil::cli
