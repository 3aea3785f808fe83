#include "guest/init/core_pattern.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::guest {

TEST_CASE("core pattern: a pipe that the kernel takes, with the budget and who crashed", "[guest][init]") {
  constexpr std::size_t kernel_keeps = 127;
  const auto pattern = init::core_pattern(std::chrono::minutes(10));
  CHECK(pattern == "|/usr/libexec/vigil/vigil-core /run/vigil/core.sock 600000 %P %I %s");
  CHECK(pattern.size() <= kernel_keeps);
}

}  // namespace vigil::guest
