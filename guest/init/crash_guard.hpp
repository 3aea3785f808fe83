// If PID 1 itself crashes: say so on the console and reboot, instead of the kernel's "Attempted to kill init".
//
// Shape:  the records are made in advance, one a signal, because a handler may not allocate; the handler runs on a stack of its own and makes system calls
//         only, until all that must be said is said: then it prints its build id and the addresses of its frames, and a second fault or two seconds end that.
//         addr2line -f -e vigil-guest.debug ADDRESS... names them (the binary has no position independence).
// Source: sigaltstack(2), signal-safety(7). Only for PID 1 of a VM.
#pragma once

#include "shared/base/ids.hpp"

#include <cstddef>

namespace vigil::guest::init {

/// The number of the crash record: far above all that are counted.
inline constexpr Seq crash_guard_seq = (Seq{1} << 48);

/// For an agent that has just taken another one's place: a crash executes that one again, from `program`, with the state in `state_fd`, in place of the reboot.
/// Plain memory, because a handler reads it; it and its descriptors stay as they are until another takes its place.
struct WayBack {
  static constexpr std::size_t max_descriptors = 4096;
  int program = -1, state = -1;
  std::size_t count = 0;
  int descriptors[max_descriptors] = {};   // to be left open
};
/// nullptr: no more.
void arm_way_back(const WayBack* way);

/// `console_fd` stays open for the life of the process; writes go there as kernel log records.
void install_crash_guard(const BootId& boot, int console_fd);

}  // namespace vigil::guest::init
