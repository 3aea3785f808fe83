// Leaves the initramfs: moves the mounts, frees its memory, makes /newroot the root and becomes the agent's copy on /run, or the root's systemd.
#pragma once

#include "guest/boot/init_mode.hpp"
#include "shared/protocol/cause.hpp"

namespace vigil::guest::boot {

inline constexpr const char* agent_path = "/run/vigil/bin/vigil-guest";
inline constexpr const char* systemd_path = "/sbin/init";

/// Copies the running program to agent_path (tmpfs: it stays when the root goes), with the names under which it can be asked to end the VM.
std::optional<protocol::Cause> install_agent();

/// Returns only when it failed.
protocol::Cause switch_root_and_exec(InitMode mode);

}  // namespace vigil::guest::boot
