#include "guest/process/file_limit.hpp"
#include "guest/process/launcher.hpp"

#include "guest/process/output_capture.hpp"
#include "tests/unit/guest/process/scene.hpp"

#include <catch2/generators/catch_generators.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>

namespace vigil::guest::process {
namespace {

std::string output_of(ProcessScene& scene, LaunchPlan plan) {
  OutputCapture out(scene.loop);
  plan.stdout_fd = out.open();
  const Launched launched = scene.launch(plan);
  out.launched();
  scene.wait(launched.pid);
  out.drain();
  return out.tail().text();
}

TEST_CASE("launcher: a program runs with its arguments, environment and directory", "[guest][process]") {
  ProcessScene scene;
  LaunchPlan plan = ProcessScene::shell("echo \"$1 $COLOUR $(pwd) $(umask)\"");
  plan.argv.insert(plan.argv.end(), {"sh", "first"});
  plan.env.push_back("COLOUR=green");
  plan.cwd = "/usr";
  CHECK(output_of(scene, plan) == "first green /usr 0022\n");
}

TEST_CASE("launcher: the child leads a session, reads from /dev/null and has no signal blocked or ignored", "[guest][process]") {
  const auto previous = ::signal(SIGPIPE, SIG_IGN);
  ProcessScene scene;
  const std::string text = output_of(scene, ProcessScene::shell("cat; ps -o sid= -p $$ | tr -d ' '; echo $$; grep -E '^Sig(Blk|Ign)' /proc/self/status"));
  ::signal(SIGPIPE, previous);
  const std::string session = text.substr(0, text.find('\n'));
  CHECK(text == session + "\n" + session + "\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_CASE("launcher: our own signal mask and errno are as before", "[guest][process]") {
  ProcessScene scene;
  sigset_t before, after;
  sigprocmask(SIG_SETMASK, nullptr, &before);
  errno = EDOM;
  const LaunchFailure failure = scene.fail([] {
    LaunchPlan plan;
    plan.argv = {"/nonexistent/program"};
    return plan;
  }());
  CHECK(errno == EDOM);
  sigprocmask(SIG_SETMASK, nullptr, &after);
  for (int signal = 1; signal < 32; ++signal) CHECK(sigismember(&before, signal) == sigismember(&after, signal));
  CHECK(failure.pid > 0);
  CHECK(std::get<protocol::ExitCode>(scene.wait(failure.pid).status).code == 127);
}

TEST_CASE("launcher: a failure names its step and errno", "[guest][process]") {
  ProcessScene scene;
  LaunchPlan plan = ProcessScene::shell("true");
  SECTION("exec of what is not there") {
    plan.argv[0] = "/nonexistent/program";
    const LaunchFailure failure = scene.fail(plan);
    CHECK(failure.step == LaunchStep::exec);
    CHECK(failure.error == ENOENT);
  }
  SECTION("a directory that is not there") {
    plan.cwd = "/nonexistent";
    const LaunchFailure failure = scene.fail(plan);
    CHECK(failure.step == LaunchStep::cwd);
    CHECK(failure.error == ENOENT);
  }
  SECTION("more open files than the kernel gives") {
    plan.nofile = std::uint64_t{1} << 40;
    const LaunchFailure failure = scene.fail(plan);
    CHECK(failure.step == LaunchStep::limits);
  }
  SECTION("a cgroup that is no cgroup") {
    const UniqueFd directory(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    plan.cgroup_fd = directory.get();
    const LaunchFailure failure = scene.fail(plan);
    CHECK(failure.step == LaunchStep::clone);
    CHECK(failure.pid == 0);
  }
  SECTION("no arguments at all") {
    plan.argv.clear();
    CHECK(scene.fail(plan).error == EINVAL);
  }
}

TEST_CASE("launcher: passed descriptors arrive at their targets, and nothing else is inherited", "[guest][process]") {
  ProcessScene scene;
  int first[2], second[2];
  REQUIRE(pipe2(first, O_CLOEXEC) == 0);
  REQUIRE(pipe2(second, O_CLOEXEC) == 0);
  LaunchPlan plan = ProcessScene::shell("echo one >&9; echo two >&3; ls /proc/self/fd | tr '\\n' ' '");
  // Each target is, on our side, the other's source or in use: an order of dup2 that overwrites one would show.
  plan.passed = {{first[1], 9}, {second[1], 3}};
  const std::string listing = output_of(scene, plan);
  char text[8] = {};
  CHECK(read(first[0], text, 4) == 4);
  CHECK(std::string(text) == "one\n");
  CHECK(read(second[0], text, 4) == 4);
  CHECK(std::string(text) == "two\n");
  CHECK(listing == "0 1 2 3 4 9 ");   // 4 is ls's own, of the directory
  for (const int fd : {first[0], first[1], second[0], second[1]}) close(fd);
}

TEST_CASE("launcher: the limit of open files is set for the child only", "[guest][process]") {
  ProcessScene scene;
  rlimit before{}, after{};
  getrlimit(RLIMIT_NOFILE, &before);
  LaunchPlan plan = ProcessScene::shell("ulimit -n");
  plan.nofile = 77;
  CHECK(output_of(scene, plan) == "77\n");
  getrlimit(RLIMIT_NOFILE, &after);
  CHECK(before.rlim_cur == after.rlim_cur);
}

TEST_CASE("launcher: this process may have many files open, a program that names no limit starts with 1024 and may have as many", "[guest][process]") {
  ProcessScene scene;
  rlimit before{}, raised{};
  getrlimit(RLIMIT_NOFILE, &before);
  raise_file_limit();
  getrlimit(RLIMIT_NOFILE, &raised);
  CHECK(raised.rlim_cur == std::min(std::max(before.rlim_max, raised.rlim_max), most_files));
  CHECK(raised.rlim_max >= before.rlim_max);
  CHECK(output_of(scene, ProcessScene::shell("ulimit -n; ulimit -Hn")) == "1024\n" + std::to_string(raised.rlim_max) + "\n");
  LaunchPlan plan = ProcessScene::shell("ulimit -n");
  plan.nofile = 2000;
  CHECK(output_of(scene, plan) == "2000\n");
}

TEST_CASE("launcher: another user's ids are taken, ours stay", "[guest][process]") {
  if (geteuid() != 0) SKIP("needs root");
  ProcessScene scene;
  LaunchPlan plan = ProcessScene::shell("id -u; id -g; id -G");
  plan.credentials = Credentials{65534, 65533, {65533, 42}};
  CHECK(output_of(scene, plan) == "65534\n65533\n65533 42\n");
  CHECK(geteuid() == 0);
}

constexpr const char* own_powers = "grep -E '^(Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs)' /proc/self/status | tr -s '\\t\\n' '  '";

TEST_CASE("launcher: of the capabilities the named ones are left, for another user too", "[guest][process]") {
  if (geteuid() != 0) SKIP("needs root");
  const bool other_user = GENERATE(false, true);
  ProcessScene scene;
  LaunchPlan plan = ProcessScene::shell(own_powers);
  if (other_user) plan.credentials = Credentials{65534, 65534, {}};
  plan.capabilities = std::uint64_t{1} << 10;   // CAP_NET_BIND_SERVICE
  CHECK(output_of(scene, plan) ==
        "CapPrm: 0000000000000400 CapEff: 0000000000000400 CapBnd: 0000000000000400 CapAmb: 0000000000000400 NoNewPrivs: 0 ");
}

TEST_CASE("launcher: root without capabilities has none, and no new privileges are gained when so asked", "[guest][process]") {
  if (geteuid() != 0) SKIP("needs root");
  ProcessScene scene;
  LaunchPlan plan = ProcessScene::shell(own_powers);
  plan.capabilities = 0;
  plan.no_new_privs = true;
  CHECK(output_of(scene, plan) ==
        "CapPrm: 0000000000000000 CapEff: 0000000000000000 CapBnd: 0000000000000000 CapAmb: 0000000000000000 NoNewPrivs: 1 ");
}

}  // namespace
}  // namespace vigil::guest::process
