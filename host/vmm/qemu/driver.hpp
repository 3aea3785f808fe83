// QEMU behind the VmmDriver interface.
#pragma once

#include "host/vmm/qemu/arguments.hpp"
#include "host/vmm/vmm.hpp"

#include <string>

namespace vigil::vmm::qemu {

class QemuDriver final : public VmmDriver {
public:
  /// Absolute paths of the programs.
  QemuDriver(std::string qemu, std::string vsock_device) : qemu_(std::move(qemu)), vsock_device_(std::move(vsock_device)) {}

  std::string name() const override { return "qemu"; }
  std::string version() const override { return {}; }
  bool boots_by_itself() const override { return true; }
  GuestMachine machine() const override { return {}; }
  std::string control_socket(const std::string& run_dir) const override { return qemu_control_socket(run_dir); }
  bool opens_files_itself() const override { return false; }
  std::string explain(const protocol::ExitStatus&) const override { return {}; }
  PlanOutcome plan(const VmSpec& spec) const override;
  boost::asio::awaitable<Result<std::unique_ptr<RunningVm>>> connect(std::string control_socket, OnVmmEvent on_event) const override;
  std::string shutdown_reason(std::string_view vmm_log, const protocol::ExitStatus& exit) const override;

private:
  std::string qemu_, vsock_device_;
};

}  // namespace vigil::vmm::qemu
