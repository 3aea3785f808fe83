// Whole small files of /proc, /sys and /etc as text, and writes to control files: the boundary where the kernel's text comes in.
//
// Errors: reading gives nullopt when the file is not there, is not readable, or the process that it describes has gone; writing gives the errno.
#pragma once

#include "shared/base/unique_fd.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::guest::process {

/// At most `limit` bytes, the rest is cut off.
std::optional<std::string> read_small_file(const std::string& path, std::size_t limit = 64 * 1024);

/// As above, of a file that is kept open: from its start on.
std::optional<std::string> read_small_file(const UniqueFd& file, std::size_t limit = 64 * 1024);

/// What a file of one value holds, without the blanks, line ends and NULs after it; "" when it cannot be read.
std::string read_value(const std::string& path);
/// As above, of a file that is kept open.
std::string read_value(const UniqueFd& file);

/// 0, or the errno of what failed. One write: control files take a value whole.
int write_control_file(const std::string& path, std::string_view value);

}  // namespace vigil::guest::process
