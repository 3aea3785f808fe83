#include "host/vmm/accelerator.hpp"

#include "shared/base/error.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include <cerrno>

namespace vigil::vmm {

namespace {

AcceleratorChoice emulate(const std::string& what, int error) {
  return {protocol::Accelerator::tcg, Error::from_errno(what, error).message()};
}

}  // namespace

AcceleratorChoice detect_accelerator(const std::string& device) {
  const UniqueFd kvm(::open(device.c_str(), O_RDWR | O_CLOEXEC));
  if (!kvm) return emulate(device, errno);
  const int version = ::ioctl(kvm.get(), KVM_GET_API_VERSION, 0);
  if (version < 0) return emulate(device + " is not KVM", errno);
  if (version != KVM_API_VERSION) return {protocol::Accelerator::tcg, device + ": interface version " + std::to_string(version) + ", not 12"};
  const UniqueFd machine(::ioctl(kvm.get(), KVM_CREATE_VM, 0));
  if (!machine) return emulate(device + " makes no VM", errno);
  return {protocol::Accelerator::kvm, device + " works"};
}

}  // namespace vigil::vmm
