#include "host/vmm/accelerator.hpp"
#include "tests/unit/host/result_text.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::vmm {

TEST_CASE("accelerator: a processor without vmx or svm has no virtualisation, whatever else its flags hold", "[host][vmm]") {
  CHECK(vmm::has_virtualisation_flag("processor\t: 0\nflags\t\t: fpu vme svm sse\nbogomips\t: 1\n"));
  CHECK(vmm::has_virtualisation_flag("processor\t: 0\nflags\t\t: fpu vmx\n"));
  CHECK_FALSE(vmm::has_virtualisation_flag("processor\t: 0\nflags\t\t: fpu svme avmx\nbugs\t\t: vmx\n"));
  CHECK_FALSE(vmm::has_virtualisation_flag(""));
}

TEST_CASE("accelerator: a device that is not there means emulation, and says so", "[host][vmm]") {
  const auto choice = vmm::detect_accelerator("/dev/no-such-kvm");
  CHECK(choice.accelerator == protocol::Accelerator::tcg);
  CHECK(choice.why.find("/dev/no-such-kvm") != std::string::npos);
}

}  // namespace vigil::vmm
