// The one destroy path of an instance's files: what tells of its runs is put away first, only then is the rest deleted.
//
// Shape:  runs that are in their black boxes go with the instance; one that could not be packed is moved, state/instances/ID/{spec.json, runs/N} -> state/blackbox/ID/.
//         Reading: the run's directory, wherever it is, else its box.
#pragma once

#include "host/daemon/places.hpp"
#include "host/machine/instance_spec.hpp"
#include "shared/base/clock.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace vigil::daemon {

/// Directory and spec.json of a new instance (without the values of secrets). Marked as being created: without a row the reconciler deletes it.
Result<void> make_instance_dir(const Places& places, const InstanceId& id, const machine::InstanceSpec& spec);
/// Its row is committed: the mark goes.
void end_creation(const Places& places, const InstanceId& id);

/// The directory of an instance that no row knows goes to state/strays, as it is; gives where. Its runs should be in their boxes by then (pack_stray_runs).
Result<std::string> set_aside(const Places& places, const InstanceId& id, UnixUs now);

Result<void> archive_and_delete(const Places& places, const InstanceId& id);

/// The run's log directory, wherever it is now; it may be gone, then all there is is in its box.
std::filesystem::path find_log_dir(const Places& places, const InstanceId& id, RunNumber run);
bool has_log_dir(const Places& places, const InstanceId& id, RunNumber run);

/// From the directory or the box.
Result<std::string> console_of(const Places& places, const InstanceId& id, RunNumber run);
std::vector<std::string> console_tail_of(const Places& places, const InstanceId& id, RunNumber run);

/// The kept console as text; empty when there is none.
Result<std::string> read_console(const std::filesystem::path& log_dir);
/// Its last plain lines, at most 50.
std::vector<std::string> read_console_tail(const std::filesystem::path& log_dir);

}  // namespace vigil::daemon
