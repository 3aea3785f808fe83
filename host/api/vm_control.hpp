// What the API asks of the daemon: commands, and looks at what is known. Implemented by host/daemon.
//
// Thread: the event thread. Commands are recorded (durable) when they return without an error; what follows from them comes as events.
#pragma once

#include "host/blackbox/shelf.hpp"
#include "host/images/image_gc.hpp"
#include "host/images/image_store.hpp"
#include "host/logs/log_hub.hpp"
#include "host/machine/vm_state.hpp"
#include "host/policy/policy.hpp"
#include "host/store/store.hpp"
#include "host/streams/guest_stream.hpp"
#include "shared/base/result.hpp"
#include "shared/protocol/state.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vigil::api {

struct DaemonFacts {
    std::string state_dir, run_dir;
    std::int64_t pid = 0;
    protocol::Accelerator accelerator = protocol::Accelerator::tcg;
    std::string accelerator_why;
    UnixUs started_unix_us = 0;
    std::string vsock_device;  // its path; empty: not found
    struct Vmm {
        std::string name, version;  // the version may be empty until it was asked
        std::string problem;        // why it cannot be used; empty: it can
        bool preferred = false;     // what VMs run on that leave the choice
    };
    std::vector<Vmm> vmms{};
};

/// One instance as it is known now; removed ones too.
struct Look {
    store::InstanceRow row;
    machine::VmState state;                 // with the run that was asked for
    std::vector<std::string> console_tail;  // of that run
};

/// What the policies of a VM would do, and why.
struct PolicyLook {
    policy::Settings settings;
    policy::Facts facts;
    std::vector<policy::Decision> decisions;
};

using PolicyOrder = std::variant<machine::HoldSet, machine::LeaseSet, machine::PolicyPaused>;

/// A request to the agent; `args` is JSON text.
struct GuestQuestion {
    std::string op, args;
    std::chrono::milliseconds deadline{5'000};
};

enum class Removal { only_when_stopped, kill_first };

class VmControl {
  public:
    virtual ~VmControl() = default;
    virtual DaemonFacts facts() const = 0;

    /// The spec's image is resolved and its digest pinned; an empty name is invented. Errors: those of ImageStore; Errc::conflict for a taken name.
    virtual Result<InstanceId> create(machine::InstanceSpec spec, const std::string& actor) = 0;
    /// Errc::conflict when a run has not ended.
    virtual Result<RunNumber> start(const InstanceId& id, const std::string& actor) = 0;
    /// Of a VM that does not run: nothing to do, no error. `grace` nullopt: the default, scaled.
    virtual Result<void> stop(const InstanceId& id, machine::StopKind kind, std::optional<std::chrono::milliseconds> grace, const std::string& actor) = 0;
    /// Errc::conflict when it runs and may not be killed. Evidence stays readable.
    virtual void remove(const InstanceId& id, Removal removal, const std::string& actor, std::function<void(Result<void>)> done) = 0;

    /// One request to the agent over the link; the answer is JSON text (CONTRACTS "request"). Errc::unavailable without a link,
    /// Errc::timeout, Errc::conflict with the agent's own words when it refuses.
    virtual void ask_guest(const InstanceId& id, GuestQuestion question, std::function<void(Result<std::string>)> done) = 0;

    /// A stream into the guest; `opening` is of shared/streams. Errc::unavailable when the VM does not run or its agent is not there yet; else open_guest_stream's.
    virtual void open_stream(const InstanceId& id, std::string opening, std::function<void(Result<streams::GuestStream>)> done) = 0;

    /// As things are now, but `later`. Errc::not_found.
    virtual Result<PolicyLook> policy(const InstanceId& id, std::chrono::seconds later) const = 0;
    /// Errc::conflict: a lease of a VM that does not run; Errc::limit: it has as many holds as it may have.
    virtual Result<void> order(const InstanceId& id, PolicyOrder order) = 0;

    virtual std::vector<Look> existing() const = 0;
    /// By id, name or prefix, as Store::find_instance. Errc::not_found also for a run that there was not.
    virtual Result<Look> look(std::string_view id_or_name, std::optional<RunNumber> run) const = 0;
    /// Kept bytes of the run's console from byte 0, a line in place of the gap. Empty when there is none.
    virtual Result<std::string> console(const InstanceId& id, RunNumber run) const = 0;
    /// The directory with the logs of the run's services, there as long as it is held; nothing may be in it. Of a run that is only in its black box it is unpacked first.
    virtual void service_logs(const InstanceId& id, RunNumber run, blackbox::Shelf::Done<blackbox::Shelf::Folder> done) = 0;
    virtual logs::LogHub& log_hub() = 0;
    virtual blackbox::Shelf& shelf() = 0;
    /// For Prometheus.
    virtual std::string metrics() const = 0;
    /// Every byte of the image against its manifest, on another thread.
    virtual void verify_image(images::Image image, std::function<void(Result<void>)> done) = 0;
    /// Removes images that are neither current nor of a VM, or only tells which; answered when their space is free.
    virtual void collect_images(images::Collect how, std::function<void(Result<images::Collection>)> done) = 0;
};

}  // namespace vigil::api
