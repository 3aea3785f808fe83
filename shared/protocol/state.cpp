#include "shared/protocol/state.hpp"

#include <cstdlib>

namespace vigil::protocol {

std::optional<std::chrono::milliseconds> stage_deadline(Stage stage) {
  using std::chrono::seconds;
  switch (stage) {
    case Stage::vmm: return seconds(2);
    case Stage::kernel: return seconds(3);
    case Stage::initrd:
    case Stage::rootfs:
    case Stage::agent: return seconds(5);
    case Stage::services:
    case Stage::ready: return std::nullopt;
  }
  std::abort();   // a value outside the enum: memory is corrupt
}

int deadline_scale(Accelerator accelerator) {
  switch (accelerator) {
    case Accelerator::kvm: return 1;
    case Accelerator::tcg: return 10;
  }
  std::abort();   // a value outside the enum: memory is corrupt
}

}  // namespace vigil::protocol
