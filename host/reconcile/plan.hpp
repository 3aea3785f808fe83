// What is to be done about what has no owner: a pure function, so that every rule has a test.
//
// Order:  processes before files: what a living process may still write to is left for the next look.
#pragma once

#include "host/reconcile/seen.hpp"

#include <chrono>
#include <set>

namespace vigil::reconcile {

inline constexpr std::chrono::seconds ending_grace{30};          // what has ended may take so long to go
inline constexpr std::chrono::hours set_aside_for{7 * 24};       // a disk without an owner

enum class Act {
  end_process,
  kill_process,
  remove_run_dir,
  finish_removal,
  set_aside,
  delete_draft,
  delete_unborn,
  sweep_group,
  delete_set_aside
};

struct Action {
  Act act = Act::end_process;
  InstanceId instance;
  shim::ProcessIdentity process;                // of end_process and kill_process
  Program program = Program::vmm;
  std::string name;                             // of delete_set_aside
  std::string reason;
  friend bool operator==(const Action&, const Action&) = default;
};

/// Without an owner that we know, but not ours to touch (yet).
struct Spared {
  InstanceId instance;
  std::string reason;
  friend bool operator==(const Spared&, const Spared&) = default;
};

struct Plan {
  std::vector<Action> actions;
  std::vector<Spared> spared;
};

struct Knowledge {
  std::vector<Known> instances;                 // of the ids in `Seen` that the store has, or had
  bool store_knew_any = true;                   // false: the store is new, and says nothing about what lies around
  std::set<std::int64_t> told;                  // pids that were asked to end before
  UnixUs now_unix_us = 0;
};

Plan plan(const Seen& seen, const Knowledge& knowledge);

}  // namespace vigil::reconcile
