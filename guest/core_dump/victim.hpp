// What /proc tells of a process only while it lives: the kernel holds the victim until the helper has let go of the pipe.
#pragma once

#include "guest/core_dump/message.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace vigil::guest::core_dump {

/// The message `victim`: pid, parent, start (clock ticks), thread that crashed, signal, comm, executable, command line, directory, cgroup, uid, gid, threads,
/// open descriptors, resident and peak KiB, mappings. What could not be read is empty.
std::string describe_victim(pid_t pid, pid_t thread, int signal, const std::string& maps);

/// The name of a thread; empty when it cannot be read.
std::string thread_name(pid_t pid, pid_t tid);
/// At most `limit`.
std::vector<pid_t> list_threads(pid_t pid, std::size_t limit);

}  // namespace vigil::guest::core_dump
