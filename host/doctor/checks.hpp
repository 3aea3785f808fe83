// The single checks; private to this folder and its tests.
#pragma once

#include "host/doctor/doctor.hpp"

#include <cstdint>

namespace vigil::doctor {

Check check_kvm(const std::string& device);
Check check_qemu();
/// Optional, so its absence is no fault; `device` is KVM's, which it cannot do without.
Check check_firecracker(const std::string& device);
Check check_vsock_device(const std::string& program_dir);
Check check_open_files(std::uint64_t limit);
Check check_disk(const std::string& state_dir);
Check check_directory(const std::string& name, const std::string& path);
Check check_run_dir(const std::string& run_dir);
Check check_image_tools();

/// What `program --version` says on its first line; empty when it cannot be asked within 5 s.
std::string version_line(const std::string& program);

}  // namespace vigil::doctor
