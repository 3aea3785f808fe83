// What the new process does between clone and exec, on memory that it shares with us: system calls only, no allocation, no exceptions.
#pragma once

#include "guest/process/launcher.hpp"

namespace vigil::guest::process {

struct NewProcess {
  const LaunchPlan* plan = nullptr;
  char* const* argv = nullptr;
  char* const* env = nullptr;
  int dev_null = -1;
  bool resets_oom_score = false;
  bool lowers_file_limit = false;   // ours was raised
  std::uint32_t ignored_signals = 0;   // by the parent: bit n - 1 is signal n
  LaunchStep step = LaunchStep::clone;   // where it is; read by the parent when error is set
  int error = 0;
};

/// Takes a NewProcess; ends in the program or in exit code 127 with `error` set. Never returns.
void become_program(void* new_process);

}  // namespace vigil::guest::process
