#include "host/vmm/firecracker/driver.hpp"

#include "host/vmm/firecracker/exit_code.hpp"
#include "host/vmm/firecracker/fault.hpp"
#include "host/vmm/firecracker/requests.hpp"
#include "host/vmm/kernel_check.hpp"
#include "host/vmm/programs.hpp"

namespace vigil::vmm::firecracker {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds listen_deadline{15'000};   // it takes milliseconds; a host that is starved may take its time
constexpr const char* not_started = "Not started";

std::string run_state_name(const std::string& state) {
  if (state == "Running") return "running";
  if (state == "Paused") return "paused";
  return state == not_started ? "prelaunch" : state;
}

class FirecrackerVm final : public RunningVm {
public:
  FirecrackerVm(ApiThreads& threads, std::string socket) : api_(threads, std::move(socket)) {}

  asio::awaitable<Result<void>> open();
  asio::awaitable<std::optional<protocol::Cause>> boot(BootOrders orders) override;
  bool has_events() const override { return false; }
  asio::awaitable<Result<void>> request_powerdown() override { return order(ctrl_alt_del_request()); }
  asio::awaitable<Result<void>> pause() override;
  asio::awaitable<Result<void>> resume() override { return order(resume_request()); }
  asio::awaitable<Result<void>> quit() override;
  asio::awaitable<Result<std::string>> run_state() override;
  std::string version() const override { return to_text(version_); }
  asio::awaitable<void> stop() override { co_return; }   // nothing stays open between requests

private:
  asio::awaitable<Result<void>> order(ControlRequest request);
  asio::awaitable<Result<std::string>> instance_state();

  ApiClient api_;
  Version version_;
};

/// Its version is the first thing that it is asked.
asio::awaitable<Result<void>> FirecrackerVm::open() {
  auto asked = api_.send_when_it_listens(version_request(), listen_deadline);
  CO_TRY(answer, co_await std::move(asked));
  if (auto fault = fault_of(answer)) co_return Error(Errc::protocol, "Firecracker does not say its version: " + *fault);
  CO_TRY(text, parse_version_answer(answer.body));
  CO_TRY(version, parse_version(text));
  version_ = version;
  co_return Result<void>();
}

asio::awaitable<Result<void>> FirecrackerVm::order(ControlRequest request) {
  const std::string what = request.method + " " + request.path;
  CO_TRY(answer, co_await api_.send(std::move(request)));
  if (auto fault = fault_of(answer)) co_return Error(Errc::invalid, "Firecracker refuses " + what + ": " + *fault);
  co_return Result<void>();
}

asio::awaitable<Result<std::string>> FirecrackerVm::instance_state() {
  auto asked = api_.send(instance_request());
  CO_TRY(answer, co_await std::move(asked));
  if (auto fault = fault_of(answer)) co_return Error(Errc::protocol, "Firecracker does not say its state: " + *fault);
  co_return parse_instance_state(answer.body);
}

asio::awaitable<std::optional<protocol::Cause>> FirecrackerVm::boot(BootOrders orders) {
  using protocol::CauseCode;
  for (const ControlRequest& request : orders.requests) {
    auto sent = api_.send(request);
    const auto answer = co_await std::move(sent);
    if (!answer) co_return protocol::make_cause(CauseCode::vmm_start_failed, {{"reason", answer.error().message()}});
    if (const auto fault = fault_of(*answer)) co_return cause_of_fault(request, *fault, orders);
  }
  if (!orders.requests.empty()) co_return std::nullopt;
  const auto state = co_await instance_state();
  if (!state || *state != not_started) co_return std::nullopt;
  co_return protocol::make_cause(CauseCode::vmm_start_failed, {{"reason", "the daemon ended before it had Firecracker start the guest"}});
}

asio::awaitable<Result<void>> FirecrackerVm::pause() {
  if (!survives_bare_pause(version_))
    co_return Error(Errc::unsupported,
                    "Firecracker " + to_text(version_) +
                        " cannot pause a VM: its guest takes no new connections of the host afterwards; use 1.15, or 1.17 and later");
  auto ordered = order(pause_request());
  co_return co_await std::move(ordered);
}

asio::awaitable<Result<void>> FirecrackerVm::quit() {
  co_return Error(Errc::unsupported, "Firecracker has no order that ends it: kill its process");
}

asio::awaitable<Result<std::string>> FirecrackerVm::run_state() {
  CO_TRY(state, co_await instance_state());
  co_return run_state_name(state);
}

}  // namespace

GuestMachine FirecrackerDriver::machine() const {
  // No ACPI power-off: the keyboard controller's reset is the one way out. Disks have no serial that we choose; their order is that of boot_requests().
  return {.reboot = "k", .power_off = PowerOff::by_reset, .root = "/dev/vda", .overlay = "/dev/vdb"};
}

PlanOutcome FirecrackerDriver::plan(const VmSpec& spec) const {
  using protocol::CauseCode;
  KernelFormat format{};
  if (auto cause = check_kernel(spec.kernel, &format)) return std::move(*cause);
  if (format != KernelFormat::elf_pvh)
    return protocol::make_cause(
        CauseCode::boot_kernel_invalid,
        {{"path", spec.kernel}, {"reason", "it is a bzImage, and Firecracker boots an uncompressed ELF kernel (vmlinux) only"}});
  if (!spec.initrd.empty())
    if (auto cause = check_initrd(spec.initrd)) return std::move(*cause);
  auto plan = make_launch_plan(spec, program_, version_);
  if (plan) return std::move(*plan);
  return protocol::make_cause(CauseCode::vmm_start_failed, {{"reason", plan.error().message()}});
}

asio::awaitable<Result<std::unique_ptr<RunningVm>>> FirecrackerDriver::connect(std::string control_socket, OnVmmEvent) const {
  auto vm = std::make_unique<FirecrackerVm>(threads_, std::move(control_socket));
  const auto opened = co_await vm->open();
  if (!opened) co_return opened.error();
  std::unique_ptr<RunningVm> running = std::move(vm);
  co_return running;
}

std::string FirecrackerDriver::shutdown_reason(std::string_view, const protocol::ExitStatus& exit) const {
  const bool by_guest = exit == protocol::ExitStatus(protocol::ExitCode{0});
  return by_guest ? std::string(reset_of_unknown_kind) : std::string();
}

std::string FirecrackerDriver::explain(const protocol::ExitStatus& exit) const { return explain_exit(exit); }

Result<std::unique_ptr<VmmDriver>> make_firecracker_driver() {
  TRY(program, find_firecracker());
  TRY(version, ask_version(program));
  return std::unique_ptr<VmmDriver>(std::make_unique<FirecrackerDriver>(program, version));
}

}  // namespace vigil::vmm::firecracker
