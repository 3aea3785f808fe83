// The one interface behind which the VMMs differ.
//
// Shape:  VmmDriver::plan() is pure but for reading the boot files; vigil-shim carries the plan out; connect() dials the VMM's control socket, which
//         accepts from the moment the shim says vmm_started, or soon after; boot() has the guest started where the VMM waits for orders. A RunningVm may go away at any time (the VMM ends, the daemon restarts): the shim, not
//         this, tells how a VMM ended.
// Thread: the daemon's event thread. RunningVm's commands may suspend; they end with Errc::unavailable when the VMM goes.
#pragma once

#include "host/vmm/kernel_command_line.hpp"
#include "host/vmm/launch_plan.hpp"
#include "shared/base/ids.hpp"
#include "shared/base/result.hpp"
#include "shared/protocol/cause.hpp"
#include "shared/protocol/report.hpp"
#include "shared/protocol/state.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vigil::vmm {

enum class VmmKind { automatic, qemu, firecracker };

/// Whether what the guest flushed must outlive a crash of the host. Ignored is right for a disk that lives no longer than its VM.
enum class Flushes { honoured, ignored };

struct Disk {
  std::string path;                             // raw image
  std::string serial;                           // the guest finds it by this virtio serial; at most 20 bytes
  Access access = Access::read_only;
  Flushes flushes = Flushes::honoured;
  friend bool operator==(const Disk&, const Disk&) = default;
};

struct VmSpec {
  InstanceId id;
  std::string run_dir;                          // run/ID: all sockets of the run; writable by the VMM's user
  std::string kernel, initrd;                   // paths
  std::string command_line;                     // kernel_command_line()
  std::vector<Disk> disks;
  std::uint32_t vcpus = 1;
  std::uint32_t memory_mib = 256;
  protocol::Accelerator accelerator = protocol::Accelerator::tcg;
  std::uint32_t cid = 3;                        // the guest's; each VM has a vsock device of its own, so it need not be unique on the host
  friend bool operator==(const VmSpec&, const VmSpec&) = default;
};

/// What cannot be started has a cause: boot.kernel_invalid, boot.initrd_invalid, vmm.start_failed.
using PlanOutcome = std::variant<LaunchPlan, protocol::Cause>;

/// The VMM said that the guest ends. `reason` as QMP spells it: "guest-shutdown", "guest-reset", "guest-panic", "host-signal", "host-qmp-quit", ...
struct ShutdownSeen { bool by_guest = false; std::string reason; friend bool operator==(const ShutdownSeen&, const ShutdownSeen&) = default; };
struct ResetSeen { bool by_guest = false; std::string reason; friend bool operator==(const ResetSeen&, const ResetSeen&) = default; };
struct PanicSeen { std::string action; friend bool operator==(const PanicSeen&, const PanicSeen&) = default; };
struct PauseSeen { friend bool operator==(const PauseSeen&, const PauseSeen&) = default; };
struct ResumeSeen { friend bool operator==(const ResumeSeen&, const ResumeSeen&) = default; };
/// The control connection ended; the last event. Says nothing about the VMM's end.
struct ControlLost { Error error; friend bool operator==(const ControlLost&, const ControlLost&) = default; };
using VmmEvent = std::variant<ShutdownSeen, ResetSeen, PanicSeen, PauseSeen, ResumeSeen, ControlLost>;
using OnVmmEvent = std::function<void(VmmEvent)>;

/// Where a virtual processor is at this moment.
struct Processor {
  std::uint64_t at = 0;                         // its instruction pointer
  bool interrupts_off = false, halted = false;
  friend bool operator==(const Processor&, const Processor&) = default;
};

/// Control over a VMM that runs. Call stop() before it is destroyed.
class RunningVm {
public:
  virtual ~RunningVm() = default;
  /// Carries out the plan's boot orders, so that the guest starts; nullopt when it did. Of a VM that another daemon started there are none: then a guest
  /// that was never started is the cause. After a cause the VMM is of no use: kill it.
  virtual boost::asio::awaitable<std::optional<protocol::Cause>> boot(BootOrders orders) = 0;
  virtual bool has_events() const = 0;                                    // false: nothing comes to OnVmmEvent, ControlLost neither
  virtual boost::asio::awaitable<Result<void>> request_powerdown() = 0;   // presses the power button; the guest may ignore it
  virtual boost::asio::awaitable<Result<void>> pause() = 0;               // Errc::unsupported where the guest would not survive it
  virtual boost::asio::awaitable<Result<void>> resume() = 0;
  virtual boost::asio::awaitable<Result<void>> quit() = 0;                // ends the VMM at once; Errc::unsupported where only a signal does
  virtual boost::asio::awaitable<Result<std::string>> run_state() = 0;    // "running", "paused", "shutdown", "guest-panicked", ...
  virtual boost::asio::awaitable<Result<std::vector<Processor>>> processors() {   // Errc::unsupported where the VMM does not tell
    Result<std::vector<Processor>> none = Error(Errc::unsupported, "this VMM does not show its processors");
    co_return none;
  }
  virtual std::string version() const = 0;                                // "7.2.22"
  virtual boost::asio::awaitable<void> stop() = 0;                        // closes the connection; the VMM goes on
};

/// shutdown_reason() of a VMM that ends alike whether its guest rebooted or panicked.
inline constexpr std::string_view reset_of_unknown_kind = "reset-or-panic";

class VmmDriver {
public:
  virtual ~VmmDriver() = default;
  virtual std::string name() const = 0;                                   // "qemu"
  virtual std::string version() const = 0;                                // of the installed program; empty: not asked
  virtual GuestMachine machine() const = 0;
  virtual std::string control_socket(const std::string& run_dir) const = 0;
  /// It opens files by path with its user's rights (a plan passes descriptors all the same): the VM's disk must be that user's.
  virtual bool opens_files_itself() const = 0;
  virtual bool boots_by_itself() const = 0;                               // there are no boot orders
  /// What an exit says beyond its number or signal; empty: nothing.
  virtual std::string explain(const protocol::ExitStatus& exit) const = 0;
  virtual PlanOutcome plan(const VmSpec& spec) const = 0;
  /// Events are given to `on_event` on the caller's executor, from then on until ControlLost.
  virtual boost::asio::awaitable<Result<std::unique_ptr<RunningVm>>> connect(std::string control_socket, OnVmmEvent on_event) const = 0;
  /// Why the VMM ended, from its log and exit status; empty when they do not tell. The daemon stays connected for no
  /// longer than an order takes, so it goes by this alone.
  virtual std::string shutdown_reason(std::string_view vmm_log, const protocol::ExitStatus& exit) const = 0;
};

}  // namespace vigil::vmm

namespace vigil {
template <> inline constexpr auto enum_table<vmm::VmmKind> = make_enum_table<vmm::VmmKind>({
    {vmm::VmmKind::automatic, "auto"}, {vmm::VmmKind::qemu, "qemu"}, {vmm::VmmKind::firecracker, "firecracker"}});
template <> inline constexpr auto enum_table<vmm::Access> = make_enum_table<vmm::Access>({
    {vmm::Access::read_only, "read_only"}, {vmm::Access::read_write, "read_write"}});
}  // namespace vigil
