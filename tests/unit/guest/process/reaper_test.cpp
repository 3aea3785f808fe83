#include "guest/process/reaper.hpp"

#include "guest/process/small_file.hpp"
#include "tests/unit/guest/process/scene.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::process {
namespace {

TEST_CASE("reaper: a process that exits gives its code, its name and its use of the processor", "[guest][process]") {
  ProcessScene scene;
  const Launched launched = scene.launch(ProcessScene::shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 3"));
  const ProcessEnd end = scene.wait(launched.pid);
  CHECK(std::get<protocol::ExitCode>(end.status).code == 3);
  CHECK(end.comm == "sh");
  CHECK(end.ended_us > launched.started_us);
  CHECK(end.user_us + end.system_us > 0);
  CHECK(end.max_rss_kib > 0);
}

TEST_CASE("reaper: of one that is soon replaced the name is the last that it had, and a told death that was none leaves it expected", "[guest][process]") {
  ProcessScene scene;
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  LaunchPlan plan = ProcessScene::shell("read line; exec sleep 1000");
  plan.stdin_fd = reader.get();
  const Launched launched = scene.launch(plan);
  std::optional<ProcessEnd> ended;
  scene.reaper.expect_soon_replaced(launched.pid, [&](const ProcessEnd& end) { ended = end; });
  bool quiet = false;
  const LoopToken later = scene.loop.after(std::chrono::milliseconds(1200), [&] { quiet = true; });
  SECTION("at once") {}
  SECTION("its name's file open since before it changed its name") { REQUIRE(run_until(scene.loop, [&] { return quiet; })); }
  writer.reset();
  REQUIRE(run_until(scene.loop, [&] { return read_value("/proc/" + std::to_string(launched.pid) + "/comm") == "sleep"; }));
  REQUIRE(kill(launched.pid, SIGSTOP) == 0);   // SIGCHLD that tells no end
  siginfo_t stopped{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(launched.pid), &stopped, WSTOPPED | WNOWAIT) == 0);
  scene.loop.run_once(std::chrono::milliseconds(0));
  REQUIRE_FALSE(ended);
  REQUIRE(kill(launched.pid, SIGKILL) == 0);
  REQUIRE(run_until(scene.loop, [&] { return ended.has_value(); }));
  CHECK(ended->comm == "sleep");
  CHECK(std::get<protocol::ExitSignal>(ended->status).signal == SIGKILL);
}

TEST_CASE("reaper: a death is told before the end of its pipe, which became known in the same turn", "[guest][process]") {
  ProcessScene scene;
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  LaunchPlan plan = ProcessScene::shell("exit 0");
  plan.stdout_fd = writer.get();
  const Launched launched = scene.launch(plan);
  writer.reset();
  std::vector<std::string> order;
  LoopToken watch = scene.loop.watch(reader.get(), EPOLLIN, [&](std::uint32_t) {
    order.push_back("pipe");
    watch.cancel();
  });
  scene.reaper.expect(launched.pid, [&](const ProcessEnd&) { order.push_back("death"); });
  siginfo_t dead{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(launched.pid), &dead, WEXITED | WNOWAIT) == 0);
  REQUIRE(run_until(scene.loop, [&] { return order.size() == 2; }));
  CHECK(order == std::vector<std::string>{"death", "pipe"});
}

TEST_CASE("reaper: a killed process gives its signal", "[guest][process]") {
  ProcessScene scene;
  const Launched launched = scene.launch(ProcessScene::shell("exec sleep 1000"));
  REQUIRE(kill(launched.pid, SIGTERM) == 0);
  CHECK(std::get<protocol::ExitSignal>(scene.wait(launched.pid).status).signal == SIGTERM);
}

TEST_CASE("reaper: many deaths at once reach their own handlers", "[guest][process]") {
  ProcessScene scene;
  constexpr int count = 50;
  std::vector<int> codes(count, -1);
  int seen = 0;
  for (int i = 0; i < count; ++i) {
    const Launched launched = scene.launch(ProcessScene::shell("exit " + std::to_string(i)));
    scene.reaper.expect(launched.pid, [&, i](const ProcessEnd& end) {
      codes[static_cast<std::size_t>(i)] = std::get<protocol::ExitCode>(end.status).code;
      ++seen;
    });
  }
  REQUIRE(run_until(scene.loop, [&] { return seen == count; }));
  for (int i = 0; i < count; ++i) CHECK(codes[static_cast<std::size_t>(i)] == i);
  CHECK(scene.reaper.orphans() == 0);
}

TEST_CASE("reaper: an orphan becomes ours, is counted and named", "[guest][process]") {
  ProcessScene scene;
  std::vector<ProcessEnd> orphans;
  scene.reaper.on_orphan([&](const ProcessEnd& end) { orphans.push_back(end); });
  const Launched launched = scene.launch(ProcessScene::shell("sh -c 'read line < /dev/null; kill -SEGV $$' & exit 0"));
  scene.wait(launched.pid);
  REQUIRE(run_until(scene.loop, [&] { return !orphans.empty(); }));
  CHECK(scene.reaper.orphans() == 1);
  CHECK(orphans[0].comm == "sh");
  CHECK(std::get<protocol::ExitSignal>(orphans[0].status).signal == SIGSEGV);
}

TEST_CASE("reaper: a process that its owner forgot is reaped as nobody's", "[guest][process]") {
  ProcessScene scene;
  const Launched launched = scene.launch(ProcessScene::shell("exit 0"));
  bool told = false;
  scene.reaper.expect(launched.pid, [&](const ProcessEnd&) { told = true; });
  scene.reaper.forget(launched.pid);
  REQUIRE(run_until(scene.loop, [&] { return scene.reaper.orphans() == 1; }));
  CHECK_FALSE(told);
}

TEST_CASE("process stat: names with blanks and parentheses do not confuse the fields", "[guest][process]") {
  const auto stat = parse_stat("42 (a) b (c) S 7 42 41 0 -1 4194560 1 0 0 0 15 26 0 0 20 0 1 0 987654 1 451\n");
  REQUIRE(stat);
  CHECK(stat->pid == 42);
  CHECK(stat->comm == "a) b (c");
  CHECK(stat->state == 'S');
  CHECK(stat->parent == 7);
  CHECK(stat->session == 41);
  CHECK(stat->start_ticks == 987654);
  CHECK(stat->cpu_ticks == 41);
  CHECK(stat->rss_pages == 451);
}

TEST_CASE("process stat: text that is none gives nothing", "[guest][process]") {
  for (const char* text : {"", "42", "42 (x", "42 x) S 1", "(x) S 1 2 3", "42 (x) S 1 2 3", "x (x) S 7 42 41 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 9 1"})
    CHECK_FALSE(parse_stat(text));
}

TEST_CASE("process cgroup: the v2 line is found among those of v1", "[guest][process]") {
  CHECK(parse_cgroup_v2("9:memory:/x\n1:name=systemd:/y\n0::/vigil/web\n") == "/vigil/web");
  CHECK(parse_cgroup_v2("9:memory:/x\n").empty());
}

}  // namespace
}  // namespace vigil::guest::process
