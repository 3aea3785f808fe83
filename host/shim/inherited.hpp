// What a new shim finds on its descriptors; the daemon's side of it is spawn_shim().
//
// Shape:  3: the spec as JSON, to its end. 4: a pipe; the shim writes one line, {"pid":N,"start_ticks":N} once its socket listens or
//         {"error":CODE,"message":TEXT}, and closes it.
#pragma once

#include "host/shim/process_identity.hpp"
#include "shared/base/result.hpp"

#include <string>
#include <string_view>

namespace vigil::shim {

inline constexpr int spec_fd = 3;
inline constexpr int report_fd = 4;

std::string encode_birth(const Result<ProcessIdentity>& birth);
/// Errc::unavailable when the text is empty: the shim died without a word.
Result<ProcessIdentity> parse_birth(std::string_view text);

}  // namespace vigil::shim
