// What one look found on the machine under our directories, and what the daemon knows of the ids that it bears.
//
// Shape:  plain values; everything carries the instance id that its path bears.
// Units:  *_unix_us wall time; start times as ProcessIdentity.
#pragma once

#include "host/shim/process_identity.hpp"
#include "shared/base/clock.hpp"
#include "shared/base/ids.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vigil::reconcile {

enum class Program { shim, vmm, device };

/// By what a process is taken for one of ours: a file open below our state directory, or (weaker) our run directory on its command line.
enum class Claim { state, run };

struct ProcessSeen {
  shim::ProcessIdentity process;
  std::int64_t parent = 0;
  Program program = Program::vmm;
  Claim claim = Claim::state;
  InstanceId instance;
};

struct RunDirSeen {
  InstanceId instance;
  std::string owner;                            // the state directory that its mark names; empty: unmarked
  shim::ProcessIdentity shim;                   // as its note says; pid 0: no note
  bool shim_lives = false;
};

struct InstanceDirSeen {
  InstanceId instance;
  bool has_draft = false;                       // of a disk that was being made
  bool is_creating = false;                     // its row was not committed when the mark was last touched
};

struct SetAsideSeen {
  std::string name;
  UnixUs since_unix_us = 0;
};

struct Seen {
  std::string state_dir;                        // ours, as marks spell it
  std::vector<ProcessSeen> processes;
  std::vector<RunDirSeen> run_dirs;
  std::vector<InstanceDirSeen> instance_dirs;
  std::vector<InstanceId> groups;               // control groups beside ours, of whoever
  std::vector<SetAsideSeen> set_aside;
};

/// What the daemon knows of an id. One that it knows nothing of has none.
struct Known {
  InstanceId instance;
  bool removed = false;
  bool busy = false;                            // a run is open, or is being put away, or the instance is being removed
  UnixUs idle_since_unix_us = 0;                // the end of its last run, or its removal
};

}  // namespace vigil::reconcile
