// Reads what there is: /proc, the run directory, the state directory. Blocking: some milliseconds with hundreds of processes; for the pool.
//
// Errors: what cannot be read is not there; what is there only half (a process that ends meanwhile) is left out.
#pragma once

#include "host/reconcile/seen.hpp"

#include <filesystem>

namespace vigil::reconcile {

struct Grounds {
  std::filesystem::path state, run;  // as the daemon was given them, absolute
  std::filesystem::path set_aside;  // state/strays
  std::filesystem::path proc = "/proc";  // but in tests
};

/// The file in a run directory that says whose it is: the path of the state directory.
inline constexpr const char* owner_mark = "owner";
/// In the directory of an instance until its row is committed.
inline constexpr const char* creation_mark = "creating";

/// A directory as marks and /proc spell it.
std::string spelled(const std::filesystem::path& directory);

Seen look(const Grounds& grounds);

}  // namespace vigil::reconcile
