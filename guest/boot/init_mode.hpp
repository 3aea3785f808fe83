// Who is the init of the root: the agent itself, or the image's systemd, which runs the agent as a service.
//
// Shape:  the image's builder writes one word into the initramfs; without it the agent is the init.
// Errors: boot.init_missing for a word that this agent does not know.
#pragma once

#include "shared/base/result.hpp"
#include "shared/protocol/cause.hpp"

#include <string_view>

namespace vigil::guest::boot {

inline constexpr const char* init_mode_file = "/etc/vigil/init";

enum class InitMode { pid1, systemd };

/// Pure. `text` is what the file holds; empty: there is none.
Result<InitMode> parse_init_mode(std::string_view text);

}  // namespace vigil::guest::boot
