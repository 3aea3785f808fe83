// What every run needs of the machine that it runs on; made once by the daemon, outlives all runs.
#pragma once

#include "host/daemon/places.hpp"
#include "host/daemon/vmms.hpp"
#include "host/blackbox/shelf.hpp"
#include "host/egress/listener.hpp"
#include "host/images/image_store.hpp"
#include "host/logs/log_hub.hpp"
#include "host/logs/spool.hpp"
#include "host/metrics/vm_metrics.hpp"
#include "host/vmm/accelerator.hpp"
#include "host/vmm/tsc_rate.hpp"
#include "shared/base/clock.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>

namespace vigil::daemon {

struct RunHost {
    boost::asio::io_context& io;
    boost::asio::thread_pool& pool;
    const Clock& clock;
    Places places;
    images::ImageStore images;
    std::string program_dir;                 // of vigild: vigil-shim is beside it
    vmm::AcceleratorChoice accelerator;
    vmm::TscMeter tsc;
    Vmms vmms;
    std::set<std::uint32_t> uids_in_use;     // of VMM processes, when we are root
    egress::Outside* outside = nullptr;      // what VMs reach through us; the daemon's

    logs::LogLimits log_limits{};
    logs::LogHub log_hub{};
    std::unique_ptr<blackbox::Shelf> shelf{};
    metrics::VmMetrics metrics{};
    std::shared_ptr<std::atomic<bool>> is_ending = std::make_shared<std::atomic<bool>>(false);   // of the daemon: what the next one does as well is left to it

    std::string shim_program() const { return program_dir + "/vigil-shim"; }
};

}  // namespace vigil::daemon
