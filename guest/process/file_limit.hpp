// How many files this process may have open, and what the programs that it starts are given instead.
//
// Units:  descriptors. PID 1 is born with 1024 (4096 at most): three hundred streams, or five hundred services, and it could take no more.
// Source: getrlimit(2); systemd gives services 1024 of 524288, for programs that use select(2).
#pragma once

#include <sys/resource.h>

namespace vigil::guest::process {

inline constexpr rlim_t most_files = 65536, files_of_a_program = 1024;

/// As many as `most_files`, or as it may. Before the first program is started.
void raise_file_limit();

/// What a program that names no limit starts with when this process has more; it may raise it to ours.
bool has_raised_file_limit();

}  // namespace vigil::guest::process
