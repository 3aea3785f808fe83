// VmRun, first part: from a spec to something that the shim can start. Each step that fails has its cause.
#include "host/async/blocking.hpp"
#include "host/daemon/disk_image.hpp"
#include "host/daemon/run_user.hpp"
#include "host/daemon/vm_run.hpp"
#include "host/fault/fault_point.hpp"
#include "host/machine/egress_policy.hpp"
#include "host/reconcile/look.hpp"
#include "host/vmm/kernel_command_line.hpp"
#include "host/vmm/vsock_device.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <utility>

namespace vigil::daemon {

namespace asio = boost::asio;
using protocol::CauseCode;

namespace {

constexpr std::uint64_t bytes_per_mib = 1 << 20;

protocol::Cause not_started(const std::string& reason) { return protocol::make_cause(CauseCode::vmm_start_failed, {{"reason", reason}}); }

/// An image whose manifest is not the one that its digest names; everything else that is wrong with it keeps its own words.
protocol::Cause unusable(const Error& error, const std::string& digest) {
    constexpr std::string_view mark = "manifest.json hashes to ";
    const auto at = error.message().find(mark);
    if (at == std::string::npos) return not_started(error.message());
    const auto found = error.message().substr(at + mark.size(), digest.size());
    return protocol::make_cause(CauseCode::boot_image_mismatch, {{"expected", digest}, {"found", found}}, {error.message()});
}

protocol::Cause cause_of(const Error& error, const Places& places) {
    if (error.message().find("host.disk_full") != std::string::npos)
        return protocol::make_cause(CauseCode::host_disk_full, {{"path", places.state.string()}}, {error.message()});
    return not_started(error.message());
}

/// Empty, 0700 and marked as ours: leftovers of a run before are ours to take away, for that run has ended.
Result<void> make_run_dir(const std::filesystem::path& path, const std::string& owner, const std::optional<shim::Credentials>& user) {
    const fault::Around around(fault::Step::make_run_dir);
    std::error_code failure;
    std::filesystem::remove_all(path, failure);
    if (failure) return Error(Errc::io, "clear " + path.string() + ": " + failure.message());
    if (::mkdir(path.c_str(), 0700) != 0) return Error::from_errno("mkdir " + path.string(), errno);
    std::ofstream(path / reconcile::owner_mark) << owner << '\n';
    return give_to(path, user);
}

Result<void> make_log_dir(const std::filesystem::path& path) {
    std::error_code failure;
    std::filesystem::create_directories(path, failure);
    if (failure == std::errc::no_space_on_device) return Error(Errc::limit, "host.disk_full: " + path.string());
    if (failure) return Error(Errc::io, "create " + path.string() + ": " + failure.message());
    return {};
}

}  // namespace

asio::awaitable<VmRun::Prepared> VmRun::prepare() {
    vmm_ = &host_.vmms.found_by(spec_.vmm);
    auto image = host_.images.resolve(machine::image_reference(spec_));
    if (!image) co_return unusable(image.error(), spec_.image_digest);
    if (const auto whole = images::ImageStore::verify_files(*image); !whole) co_return not_started(whole.error().message());
    auto cause = unfit(*image);
    if (cause) co_return std::move(*cause);
    const images::Image chosen = *image;
    auto ready = co_await prepare_files(chosen);
    if (!ready) co_return cause_of(ready.error(), host_.places);
    co_return plan(chosen);
}

std::optional<protocol::Cause> VmRun::unfit(const images::Image& image) const {
    if (!vmm_->driver) return not_started(vmm_->error);
    if (static_cast<std::int64_t>(spec_.memory_mib) < image.manifest.min_memory_mib)
        return protocol::make_cause(CauseCode::boot_memory_too_small, {{"mib", std::int64_t{spec_.memory_mib}}},
                                    {"the image needs at least " + std::to_string(image.manifest.min_memory_mib) + " MiB"});
    return std::nullopt;
}

asio::awaitable<Result<void>> VmRun::prepare_files(images::Image image) {
    user_ = take_run_user(host_);
    CO_TRY_VOID(run_made, make_run_dir(run_dir(), reconcile::spelled(host_.places.state), user_));
    CO_TRY_VOID(logs_made, make_log_dir(log_dir()));
    if (spec_.disk_mib > 0) {
        auto made = co_await prepare_disk(image);
        if (!made) co_return made;
    }
    co_return open_link(&image);
}

asio::awaitable<Result<void>> VmRun::prepare_disk(images::Image image) {
    const auto disk = host_.places.disk(id_);
    if (spec_.ephemeral) {
        std::error_code ignored;
        std::filesystem::remove(disk, ignored);
    }
    const std::function<Result<void>()> copy = [from = image.path_of(image.manifest.overlay), disk, size = spec_.disk_mib * bytes_per_mib] {
        return make_disk(from, disk, size);
    };
    auto copied = co_await async::run_blocking<Result<void>>(host_.pool, copy);
    if (!copied) co_return copied.error().with_context("make the VM's disk");
    if (vmm_->driver->opens_files_itself()) {
        CO_TRY_VOID(given, give_to(disk, user_));
    }
    co_return Result<void>();
}

Result<void> VmRun::open_link(const images::Image* image) {
    const fault::Around around(fault::Step::open_link);
    const auto path = vmm::vsock_listen_path(run_dir().string(), protocol::link_port);
    guest_link::LinkOptions options;
    options.socket_path = path;
    options.image_digest = spec_.image_digest;
    if (image != nullptr) options.image_id = image->manifest.image_id;
    if (const auto& run = owner_.run_state().run; run && run->link && owner_.check_token(run->link->boot, "") == guest_link::TokenCheck::differs)
        options.bound_boot = run->link->boot;
    link_ = std::make_unique<guest_link::GuestLink>(host_.io, options, static_cast<guest_link::LinkOwner&>(*this), host_.clock);
    if (!console_) console_ = std::make_unique<RunConsole>(run_dir(), host_.clock);
    follow_logs();
    return open_egress();
}

/// A shim of an older version leaves it to us.
Result<void> VmRun::listen_for_guest() {
    const auto path = [this](std::uint32_t port) { return vmm::vsock_listen_path(run_dir().string(), port); };
    if (!link_->listens()) {
        TRY_VOID(link_->listen());
        TRY_VOID(give_to(path(protocol::link_port), user_));  // the vsock device dials it
    }
    if (!egress_ || egress_->listens()) return {};
    TRY_VOID(egress_->listen());
    return give_to(path(protocol::egress_port), user_);
}

Result<void> VmRun::open_egress() {
    if (spec_.egress.empty() || host_.outside == nullptr) return {};
    TRY(policy, machine::parse_egress_policy(spec_.egress));
    const auto path = vmm::vsock_listen_path(run_dir().string(), protocol::egress_port);
    egress_ = std::make_unique<egress::Listener>(host_.io, path, policy, *host_.outside, static_cast<egress::EgressOwner&>(*this), host_.clock);
    return {};
}

void VmRun::follow_logs() {
    RunLogs::Setup setup{id_, number_, [this] { return dial_streams(); }, log_dir() / "services", {}};
    for (const auto& secret : owner_.secrets()) setup.secrets.push_back(secret.second);
    logs_ = std::make_unique<RunLogs>(host_, std::move(setup), [this](machine::LogsLost lost) { owner_.happened(std::move(lost)); });
    tasks_.spawn("run.logs", [this] { return logs_->follow(); });
}

std::variant<shim::ShimSpec, protocol::Cause> VmRun::plan(const images::Image& image) {
    vmm::CommandLine line;
    line.id = id_;
    line.image_digest = spec_.image_digest;
    line.accelerator = host_.accelerator.accelerator;
    line.tsc_khz = host_.accelerator.accelerator == protocol::Accelerator::tcg ? host_.tsc.khz() : 0;
    line.extra = spec_.kernel_args;
    line.machine = vmm_->driver->machine();
    if (spec_.disk_mib == 0) line.machine.overlay = vmm::overlay_in_memory;
    vmm::VmSpec vm;
    vm.id = id_;
    vm.run_dir = run_dir().string();
    vm.kernel = image.path_of(image.manifest.kernel).string();
    vm.initrd = image.path_of(image.manifest.initrd).string();
    vm.command_line = vmm::kernel_command_line(line);
    vm.disks = {{image.path_of(image.manifest.root).string(), vmm::root_serial, vmm::Access::read_only}};
    if (spec_.disk_mib > 0) vm.disks.push_back({host_.places.disk(id_).string(), vmm::overlay_serial, vmm::Access::read_write});
    vm.vcpus = spec_.vcpus;
    vm.memory_mib = spec_.memory_mib;
    vm.accelerator = host_.accelerator.accelerator;
    auto outcome = vmm_->driver->plan(vm);
    if (auto* cause = std::get_if<protocol::Cause>(&outcome)) return std::move(*cause);
    shim::ShimSpec shim;
    shim.instance = id_;
    shim.run = number_;
    shim.run_dir = run_dir().string();
    shim.log_dir = log_dir().string();
    shim.plan = std::move(std::get<vmm::LaunchPlan>(outcome));
    boot_ = std::exchange(shim.plan.boot, {});
    shim.credentials = user_;
    shim.doors.push_back({vmm::vsock_listen_path(run_dir().string(), protocol::link_port), protocol::link_port});
    if (egress_) shim.doors.push_back({vmm::vsock_listen_path(run_dir().string(), protocol::egress_port), protocol::egress_port});
    shim.dial_path = vmm::vsock_uds_path(run_dir().string());
    control_socket_ = shim.plan.control_socket;
    return shim;
}

}  // namespace vigil::daemon
