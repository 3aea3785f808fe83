// What is put into a run's black box, and when its directory may go.
//
// Shape:  a BoxJob is everything that only the event thread knows, collected by it; pack_box() reads the files and writes the box, on the pool. A directory whose run is
//         in its box has the file `boxed`.
// Errors: those of the archive; the directory then stays, and is tried again by the next daemon.
#pragma once

#include "host/blackbox/archive.hpp"
#include "host/blackbox/box_name.hpp"
#include "host/daemon/places.hpp"
#include "host/daemon/run_host.hpp"
#include "host/store/store.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace vigil::daemon {

struct BoxJob {
    blackbox::BoxName name;
    std::filesystem::path box, log_dir;
    UnixUs ended_unix_us = 0;
    std::string index_json, why_json, spec_json, image_json, crashes_json;
    std::vector<std::string> first_events;
    std::deque<std::string> last_events;
    std::uint64_t left_out = 0;                // events between them
    std::vector<std::string> secrets;
};

/// `state` is that of the ended run. Reads the events page by page, others have their turn in between.
boost::asio::awaitable<Result<BoxJob>> collect_box(RunHost* host, store::Store* store, InstanceName name, machine::VmState state, std::vector<std::string> secrets);
Result<void> pack_box(const BoxJob& job);

/// The runs that lie in the directory of an instance that no row knows, each into a box that says so; what the store would tell of them is not there. Blocking.
Result<void> pack_stray_runs(const Places& places, const InstanceId& id, const std::string& reason);

bool is_boxed(const std::filesystem::path& log_dir);
/// Directories of runs that are in their boxes, but for the newest `keep`.
void drop_old_runs(const Places& places, const InstanceId& id, std::size_t keep);

}  // namespace vigil::daemon
