// A pid and its start time name one process and never its successor.
#include "host/shim/process_identity.hpp"
#include "tests/unit/host/result_text.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace vigil::shim {

namespace {

/// A child that waits to be killed; its name is made to confuse a reader of /proc/PID/stat.
pid_t waiting_child() {
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_NAME, "x) Z 1 (y", 0, 0, 0);
    [[maybe_unused]] const auto put = ::write(ready[1], "x", 1);
    while (true) ::pause();
  }
  char byte;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  ::close(ready[0]);
  ::close(ready[1]);
  return pid;
}

}  // namespace

TEST_CASE("process identity: a process is alive until it is a zombie, in this boot only", "[host][shim]") {
  const pid_t pid = waiting_child();
  const auto child = identify(pid);
  REQUIRE(child);
  CHECK(child->start_ticks > 0);
  CHECK(is_alive(*child, host_boot_id()));
  CHECK_FALSE(is_alive(*child, "11111111-2222-3333-4444-555555555555"));
  CHECK_FALSE(is_alive({child->pid, child->start_ticks + 1}, host_boot_id()));
  REQUIRE(signal_process(*child, SIGKILL));
  siginfo_t info{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
  CHECK_FALSE(is_alive(*child, host_boot_id()));   // a zombie
  ::waitpid(pid, nullptr, 0);
  CHECK(identify(pid).error().code() == Errc::not_found);
  CHECK(signal_process(*child, SIGKILL).error().code() == Errc::not_found);
}

TEST_CASE("process identity: the pid's next owner is not signalled", "[host][shim]") {
  const pid_t pid = waiting_child();
  const auto child = identify(pid);
  REQUIRE(child);
  CHECK(signal_process({child->pid, child->start_ticks - 1}, SIGKILL).error().code() == Errc::not_found);
  CHECK(is_alive(*child, host_boot_id()));
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

}  // namespace vigil::shim
