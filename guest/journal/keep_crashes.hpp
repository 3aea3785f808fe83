// The life of `vigil-guest keep-crashes`: one change of the journal's file, synced, then the end. Blocking on purpose.
//
// Errors: the return value is 0, or the errno of what failed; then the file holds what it held before, or that and a torn tail.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace vigil::guest::journal {

inline constexpr int payload_fd = 3;
inline constexpr const char* journal_name = "crashes.journal";

struct Replace {};                           // the file becomes the payload, whole or not at all
struct Append {
  std::uint64_t at = 0;
};     // whatever was there from `at` on gives way to the payload
struct Remove {};
using Change = std::variant<Replace, Append, Remove>;

/// "replace", "append:123", "remove"; parse_change gives Replace for what is none of them, which is always right.
std::string to_text(const Change& change);
Change parse_change(const std::string& text);

int keep_crashes(const std::string& directory, const Change& change, int payload);

}  // namespace vigil::guest::journal
