// Reads a credential out of a user's home, which is the user's to lay traps in.
//
// Shape:  opened below the home directory without following any link; only a regular file that belongs to the user and has one name is read.
// Errors: Errc::not_found, Errc::denied with what it is instead, Errc::limit. Source: openat2(2) RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH.
#pragma once

#include "shared/base/result.hpp"

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::signin {

/// What changes when a file does.
struct FileMark {
  std::uint64_t inode = 0, size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;
  friend bool operator==(const FileMark&, const FileMark&) = default;
};

struct CredentialFile {
  FileMark mark;
  std::string bytes;
};

/// At most max_bytes + 1 bytes are read: one more than may be tells of too many.
Result<CredentialFile> read_credential(const std::string& home, std::string_view path, uid_t owner, std::size_t max_bytes);
Result<FileMark> mark_of(const std::string& home, std::string_view path, uid_t owner);
/// Removes it, when it is still the marked one.
Result<void> remove_credential(const std::string& home, std::string_view path, uid_t owner, const FileMark& mark);

/// Names in the directory of `path`, at most `count`: for who asks what came instead.
std::vector<std::string> names_beside(const std::string& home, std::string_view path, std::size_t count);

/// Overwrites before it frees.
void wipe(std::string& secret);

}  // namespace vigil::guest::signin
