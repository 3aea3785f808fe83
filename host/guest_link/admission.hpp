// Whether who dials is the agent: the token rule and what else a hello must fulfil. Pure.
//
// Shape:  the first link of a boot comes from the initramfs, when nothing else runs, and gets a token; every later hello of that boot must carry it. The
//         token binds from the moment at which the guest has shown that it has it (an answer to what we sent behind the welcome, or a hello with it); a
//         guest whose first link broke before that may come again without. A run has one boot: a hello of another is refused once a token binds.
// Source: CONTRACTS "Control link".
#pragma once

#include "shared/protocol/cause.hpp"
#include "shared/protocol/control.hpp"

#include <optional>
#include <string>

namespace vigil::guest_link {

enum class TokenCheck { none_recorded, fits, differs };

/// What the host knows when a hello arrives.
struct KnownBoot {
    TokenCheck token = TokenCheck::none_recorded;  // of the hello's token against the one recorded for the hello's boot
    std::optional<BootId> bound_boot;              // the boot of this run whose token binds
    std::string image_digest, image_id;            // what this VM was started from; either may stand in a hello
};

struct Admission {
    bool accepted = false;
    std::string reason;                     // why not
    std::optional<protocol::Cause> cause;   // when the agent itself does not fit: boot.image_mismatch, boot.agent_skew
};

Admission judge_hello(const protocol::Hello& hello, const BootId& boot, const KnownBoot& known);

}  // namespace vigil::guest_link
