// Whether the lock or socket file that a program complained of is a leftover of a life that has ended.
//
// Shape:  looks at the file system and /proc; evidence before verdict: a file that somebody may still hold is not stale.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vigil::guest::evidence {

/// The path that a line of `output` names as locked or in use, when the file is there and nobody living holds it.
std::optional<std::string> find_stale_lock(std::string_view output, const std::string& proc = "/proc");

}  // namespace vigil::guest::evidence
