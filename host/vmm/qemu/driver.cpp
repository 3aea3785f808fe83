#include "host/vmm/qemu/driver.hpp"

#include "host/vmm/kernel_check.hpp"
#include "host/vmm/qemu/qmp_client.hpp"

#include <boost/asio/this_coro.hpp>

namespace vigil::vmm::qemu {

namespace asio = boost::asio;

namespace {

class QemuVm final : public RunningVm {
public:
  QemuVm(asio::any_io_executor executor, OnVmmEvent on_event) : qmp_(executor, std::move(on_event)) {}

  asio::awaitable<Result<void>> open(std::string path) { return qmp_.open(std::move(path)); }

  asio::awaitable<std::optional<protocol::Cause>> boot(BootOrders) override { co_return std::nullopt; }   // it boots by itself
  bool has_events() const override { return true; }
  asio::awaitable<Result<void>> request_powerdown() override { return order("system_powerdown"); }
  asio::awaitable<Result<void>> pause() override { return order("stop"); }
  asio::awaitable<Result<void>> resume() override { return order("cont"); }
  asio::awaitable<Result<void>> quit() override { return order("quit"); }
  asio::awaitable<Result<std::string>> run_state() override {
    const std::string question = "query-status", nothing;
    CO_TRY(value, co_await qmp_.execute(question, nothing));
    co_return parse_run_state(value);
  }
  asio::awaitable<Result<std::vector<Processor>>> processors() override {
    const std::string question = "human-monitor-command", arguments = R"({"command-line":"info registers -a"})";
    CO_TRY(value, co_await qmp_.execute(question, arguments));
    co_return parse_registers(value);
  }
  std::string version() const override { return qmp_.version(); }
  asio::awaitable<void> stop() override { return qmp_.stop(); }

private:
  asio::awaitable<Result<void>> order(std::string command) {
    const std::string nothing;
    CO_TRY_VOID(done, co_await qmp_.execute(command, nothing));
    co_return Result<void>();
  }

  QmpClient qmp_;
};

}  // namespace

PlanOutcome QemuDriver::plan(const VmSpec& spec) const {
  if (auto cause = check_kernel(spec.kernel)) return std::move(*cause);
  if (!spec.initrd.empty())
    if (auto cause = check_initrd(spec.initrd)) return std::move(*cause);
  auto plan = make_launch_plan(spec, qemu_, vsock_device_);
  if (plan) return std::move(*plan);
  return protocol::make_cause(protocol::CauseCode::vmm_start_failed, {{"reason", plan.error().message()}});
}

asio::awaitable<Result<std::unique_ptr<RunningVm>>> QemuDriver::connect(std::string control_socket, OnVmmEvent on_event) const {
  const auto executor = co_await asio::this_coro::executor;
  auto vm = std::make_unique<QemuVm>(executor, std::move(on_event));
  std::exception_ptr cancelled;
  Result<void> opened;
  try {
    opened = co_await vm->open(control_socket);
  } catch (...) { cancelled = std::current_exception(); }
  if (cancelled || !opened) {
    if (cancelled) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await vm->stop();
    if (cancelled) std::rethrow_exception(cancelled);
    co_return opened.error();
  }
  std::unique_ptr<RunningVm> running = std::move(vm);
  co_return running;
}

std::string QemuDriver::shutdown_reason(std::string_view vmm_log, const protocol::ExitStatus& exit) const {
  const std::string logged = reason_in_log(vmm_log);
  // Every orderly end is traced but one: a reset that -action turns into an end takes another way through QEMU.
  const bool orderly = exit == protocol::ExitStatus(protocol::ExitCode{0});
  return logged.empty() && orderly ? "guest-reset" : logged;
}

}  // namespace vigil::vmm::qemu
