// Takes everything from a process that it does not need to read an ELF core: files, identity, memory, time, and nearly all system calls.
//
// Shape:  give_up_privileges() first, then confine(): after it the process may read and map what it has open, write to it, and open files for reading below
//         its root, which holds nothing but separate debug symbols. There is no way back, no socket, no program to start.
// Source: seccomp(2), chroot(2), setrlimit(2). x86-64 only.
#pragma once

#include "shared/base/result.hpp"

#include <sys/types.h>

#include <chrono>

namespace vigil::guest::core_dump {

/// Nobody else's: no service runs under it.
inline constexpr uid_t core_uid = 64765;

struct Jail {
  const char* root = "/usr/lib/debug";
  const char* empty_root = "/run/vigil/empty";  // where there are no debug symbols
};

/// Needs root. Errors: Errc::unavailable names the step that failed; then nothing may be parsed.
Result<void> give_up_privileges(const Jail& jail);

/// `wall` and a little more, then SIGALRM ends the process, whatever it does.
Result<void> confine(std::chrono::milliseconds wall);

}  // namespace vigil::guest::core_dump
