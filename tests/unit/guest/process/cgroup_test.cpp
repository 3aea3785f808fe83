#include "guest/process/cgroup.hpp"

#include "guest/process/process_group.hpp"
#include "tests/unit/guest/process/scene.hpp"

#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <optional>

namespace vigil::guest::process {
namespace {

constexpr long cgroup2_magic = 0x63677270;

/// A v2 hierarchy in which we may make directories; where the machine has none, the VM tests are the ones that count.
std::string cgroup_root() {
  for (const char* path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    struct statfs info {};
    if (statfs(path, &info) == 0 && info.f_type == cgroup2_magic && access(path, W_OK) == 0) return path;
  }
  return {};
}

TEST_CASE("cgroup: limits are said as the kernel wants them, and taken away where there is none", "[guest][process]") {
  const std::vector<ControlValue> none = control_values({});
  CHECK(none == std::vector<ControlValue>{
                    {"memory.max", "max"}, {"memory.swap.max", "max"}, {"memory.oom.group", "1"}, {"pids.max", "max"}, {"cpu.max", "max 100000"}});
  const std::vector<ControlValue> all = control_values({std::uint64_t{64} << 20, 32, 150});
  CHECK(all == std::vector<ControlValue>{{"memory.max", "67108864"},
                                         {"memory.swap.max", "0"},
                                         {"memory.oom.group", "1"},
                                         {"pids.max", "32"},
                                         {"cpu.max", "150000 100000"}});
}

TEST_CASE("cgroup: a process is born in it, its children stay in it, and all are killed at once", "[guest][process]") {
  const std::string root = cgroup_root();
  if (root.empty()) SKIP("no writable cgroup v2 hierarchy");
  ProcessScene scene;
  const std::string name = "test-" + std::to_string(getpid());
  auto cgroup = Cgroup::make(root, name, {});
  REQUIRE(cgroup.has_value());
  LaunchPlan plan = ProcessScene::shell("setsid sh -c 'sleep 1000; true' & sleep 1000; true");
  plan.cgroup_fd = cgroup->fd();
  const Launched launched = scene.launch(plan);
  const ProcessGroup group(cgroup->path(), launched.pid);
  CHECK(parse_cgroup_v2([&] {
          std::ifstream file("/proc/" + std::to_string(launched.pid) + "/cgroup");
          return std::string(std::istreambuf_iterator<char>(file), {});
        }()) == "/vigil/" + name);
  REQUIRE(run_until(scene.loop, [&] { return group.members().size() == 4; }));
  const auto born = group.members();
  // Of a death that nobody expects it is told where it was: that says whose it is.
  std::optional<ProcessEnd> end;
  scene.reaper.forget(launched.pid);
  scene.reaper.on_orphan([&](const ProcessEnd& of) {
    if (of.pid == launched.pid) end = of;
  });
  cgroup->kill_all();
  REQUIRE(run_until(scene.loop, [&] { return end.has_value(); }));
  CHECK(std::get<protocol::ExitSignal>(end->status).signal == SIGKILL);
  CHECK(end->cgroup == "/vigil/" + name);
  // Not even a zombie of them is left; a shell that dies last may have buried its child before the reaper could.
  CHECK(run_until(scene.loop, [&] { return std::ranges::all_of(born, [](pid_t pid) { return kill(pid, 0) != 0; }); }));
  REQUIRE(run_until(scene.loop, [&] { return rmdir(cgroup->path().c_str()) == 0; }));
  rmdir((root + "/vigil").c_str());
}

TEST_CASE("cgroup: after a kill new processes live, because the directory is renewed", "[guest][process]") {
  const std::string root = cgroup_root();
  if (root.empty()) SKIP("no writable cgroup v2 hierarchy");
  ProcessScene scene;
  auto cgroup = Cgroup::make(root, "renew-" + std::to_string(getpid()), {});
  REQUIRE(cgroup.has_value());
  CHECK_FALSE(cgroup->is_spent());
  LaunchPlan plan = ProcessScene::shell("exec sleep 1000");
  plan.cgroup_fd = cgroup->fd();
  const Launched first = scene.launch(plan);
  CHECK_FALSE(cgroup->renew().has_value());   // somebody is in it
  cgroup->kill_all();
  CHECK(cgroup->is_spent());
  scene.wait(first.pid);
  REQUIRE(run_until(scene.loop, [&] { return cgroup->renew().has_value(); }));
  CHECK_FALSE(cgroup->is_spent());
  plan = ProcessScene::shell("exit 5");
  plan.cgroup_fd = cgroup->fd();
  CHECK(std::get<protocol::ExitCode>(scene.wait(scene.launch(plan).pid).status).code == 5);

  const std::string old = cgroup->path();
  REQUIRE(cgroup->renew_elsewhere().has_value());
  CHECK(cgroup->path() == old + "+2");
  plan.cgroup_fd = cgroup->fd();
  CHECK(std::get<protocol::ExitCode>(scene.wait(scene.launch(plan).pid).status).code == 5);
  for (const std::string& path : {old, cgroup->path(), root + "/vigil"}) rmdir(path.c_str());
}

TEST_CASE("cgroup: a root that is none is an error with its path", "[guest][process]") {
  const auto cgroup = Cgroup::make("/nonexistent", "web", {});
  REQUIRE_FALSE(cgroup.has_value());
  CHECK(cgroup.error().message().find("/nonexistent/vigil") != std::string::npos);
}

}  // namespace
}  // namespace vigil::guest::process
