// Firecracker behind the VmmDriver interface.
//
// The daemon speaks with it, not vigil-shim: the shim stays without HTTP, JSON policy and libcurl, and every fault is mapped where causes are made.
#pragma once

#include "host/vmm/firecracker/api_client.hpp"
#include "host/vmm/firecracker/arguments.hpp"
#include "host/vmm/vmm.hpp"

#include <string>

namespace vigil::vmm::firecracker {

class FirecrackerDriver final : public VmmDriver {
public:
  /// An absolute path, and what the program said of itself.
  FirecrackerDriver(std::string program, Version version) : program_(std::move(program)), version_(version) {}

  std::string name() const override { return "firecracker"; }
  std::string version() const override { return to_text(version_); }
  bool boots_by_itself() const override { return false; }
  GuestMachine machine() const override;
  std::string control_socket(const std::string& run_dir) const override { return api_socket(run_dir); }
  bool opens_files_itself() const override { return true; }
  PlanOutcome plan(const VmSpec& spec) const override;
  boost::asio::awaitable<Result<std::unique_ptr<RunningVm>>> connect(std::string control_socket, OnVmmEvent on_event) const override;
  std::string shutdown_reason(std::string_view vmm_log, const protocol::ExitStatus& exit) const override;
  std::string explain(const protocol::ExitStatus& exit) const override;

private:
  std::string program_;
  Version version_;
  mutable ApiThreads threads_;
};

/// $VIGIL_FIRECRACKER, else firecracker in PATH, asked for its version. Errors: those of find_firecracker() and ask_version().
Result<std::unique_ptr<VmmDriver>> make_firecracker_driver();

}  // namespace vigil::vmm::firecracker
