#include "host/async/read_some.hpp"

#include <array>

namespace vigil::async {

std::span<char> shared_read_buffer() {
  thread_local std::array<char, 64 << 10> buffer;
  return buffer;
}

}  // namespace vigil::async
