#include "guest/process/process_group.hpp"

#include "tests/unit/guest/process/scene.hpp"

#include <unistd.h>

#include <algorithm>

namespace vigil::guest::process {
namespace {

TEST_CASE("process group: children and grandchildren belong, we do not", "[guest][process]") {
  ProcessScene scene;
  const Launched launched = scene.launch(ProcessScene::shell("sh -c 'sleep 1000; true' & sleep 1000; true"));
  const ProcessGroup group("", launched.pid);
  REQUIRE(run_until(scene.loop, [&] { return group.members().size() == 4; }));   // two shells, two sleeps
  CHECK(group.contains(launched.pid));
  CHECK_FALSE(group.contains(getpid()));
  group.kill_all();
  scene.wait(launched.pid);
  CHECK(run_until(scene.loop, [&] { return group.members().empty(); }));
}

TEST_CASE("process group: what a dead main process left in its session is still found and killed", "[guest][process]") {
  ProcessScene scene;
  const Launched launched = scene.launch(ProcessScene::shell("sleep 1000 & exit 0"));
  scene.wait(launched.pid);
  const ProcessGroup group("", launched.pid);
  CHECK(group.members().size() == 1);
  group.kill_all();
  CHECK(run_until(scene.loop, [&] { return group.members().empty(); }));
}

TEST_CASE("process group: pids are read line by line, rubbish is not", "[guest][process]") {
  CHECK(parse_pids("1\n22\n333\n") == std::vector<pid_t>{1, 22, 333});
  CHECK(parse_pids("7") == std::vector<pid_t>{7});
  CHECK(parse_pids("7 8 99 ") == std::vector<pid_t>{7, 8, 99});
  CHECK(parse_pids("").empty());
  CHECK(parse_pids("x\n5\n0\n") == std::vector<pid_t>{5});
}

}  // namespace
}  // namespace vigil::guest::process
