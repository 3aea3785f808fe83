// Files that live in memory: the program that is tried, the state that one agent leaves to the next.
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace vigil::guest::upgrade {

inline constexpr std::size_t max_program_bytes = 64 << 20;

/// The file at `path`, copied and sealed, so that what was checked is what will be executed.
/// Errors: of the file; Errc::invalid when its SHA-256 is another than `sha256`, Errc::limit when it is larger than max_program_bytes.
Result<UniqueFd> take_program(const std::string& path, const std::string& sha256);

/// `bytes` in place of what was in the file. An empty descriptor is made first.
Result<void> put_state(UniqueFd& file, std::string_view bytes);
Result<std::string> read_state(int fd);

/// The program that this process runs, for the name under which programs of the VM know it.
Result<void> install_own_program(const std::string& path);

/// Open over an exec, or not.
enum class OverExec { closed, open };
/// Errc::invalid for a descriptor that is not open.
Result<void> set_over_exec(int fd, OverExec how);

}  // namespace vigil::guest::upgrade
