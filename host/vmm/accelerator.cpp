#include "host/vmm/accelerator.hpp"

#include "shared/base/error.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

namespace vigil::vmm {

namespace {

AcceleratorChoice emulate(const std::string& what, int error) {
  return {protocol::Accelerator::tcg, Error::from_errno(what, error).message()};
}

/// A daemon that is root runs each VMM as a user of its own, which reaches the device by its group alone.
bool open_to_vmm_users(int fd) {
  struct stat status {};
  if (::geteuid() != 0 || ::fstat(fd, &status) != 0) return true;
  const bool by_group = status.st_gid != 0 && (status.st_mode & 060) == 060;
  return by_group || (status.st_mode & 06) == 06;
}

}  // namespace

bool has_virtualisation_flag(std::string_view cpuinfo) {
  const auto start = cpuinfo.find("\nflags");
  if (start == cpuinfo.npos) return false;
  std::istringstream words{std::string(cpuinfo.substr(start + 1, cpuinfo.find('\n', start + 1) - start - 1))};
  for (std::string word; words >> word;)
    if (word == "vmx" || word == "svm") return true;
  return false;
}

AcceleratorChoice detect_accelerator(const std::string& device) {
  const UniqueFd kvm(::open(device.c_str(), O_RDWR | O_CLOEXEC));
  if (!kvm) return emulate(device, errno);
  const int version = ::ioctl(kvm.get(), KVM_GET_API_VERSION, 0);
  if (version < 0) return emulate(device + " is not KVM", errno);
  if (version != KVM_API_VERSION) return {protocol::Accelerator::tcg, device + ": interface version " + std::to_string(version) + ", not 12"};
  const UniqueFd machine(::ioctl(kvm.get(), KVM_CREATE_VM, 0));
  if (!machine) return emulate(device + " makes no VM", errno);
  std::ifstream file("/proc/cpuinfo");
  const std::string cpuinfo{std::istreambuf_iterator<char>(file), {}};
  if (!has_virtualisation_flag(cpuinfo)) return {protocol::Accelerator::tcg, device + " is there, but the processor offers neither vmx nor svm"};
  if (!open_to_vmm_users(kvm.get())) return {protocol::Accelerator::tcg, device + " is root's alone, and VMMs run as users of their own: chgrp kvm and chmod 660 it"};
  return {protocol::Accelerator::kvm, device + " works"};
}

}  // namespace vigil::vmm
