#include "guest/core_dump/sandbox.hpp"
#include "tests/unit/guest/process/scene.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

namespace vigil::guest::core_dump {

namespace {

constexpr int refused_to_start = 99;

/// How a child ends that tries `what` when it has given up everything. Raw system calls: a sanitizer's wrappers make others.
template <class What>
int wait_status_of(const guest::TestDirectory& jail, What what) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!give_up_privileges({jail.path().c_str(), "/nowhere"}) || !confine(std::chrono::seconds(5))) ::_exit(refused_to_start);
    ::syscall(SYS_exit_group, what());
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return status;
}

template <class What>
int exit_code_of(const guest::TestDirectory& jail, What what) {
  const int status = wait_status_of(jail, what);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int open_code(const char* path, int flags) { return ::syscall(SYS_openat, AT_FDCWD, path, flags, 0600) >= 0 ? 0 : errno; }

}  // namespace

TEST_CASE("sandbox: it sees nothing but what is in its root, and can only read there", "[guest][core_dump]") {
  if (::geteuid() != 0) SKIP("only root can give anything up");
  const guest::TestDirectory jail;
  jail.write("symbols.debug", "x");
  CHECK(exit_code_of(jail, [] { return open_code("/symbols.debug", O_RDONLY); }) == 0);
  CHECK(exit_code_of(jail, [] { return open_code("/etc/passwd", O_RDONLY); }) == ENOENT);
  CHECK(exit_code_of(jail, [] { return open_code("/../../etc/passwd", O_RDONLY); }) == ENOENT);
  CHECK(exit_code_of(jail, [] { return open_code("/symbols.debug", O_RDWR); }) == EACCES);
  CHECK(exit_code_of(jail, [] { return open_code("/new", O_WRONLY | O_CREAT); }) == EACCES);
}

TEST_CASE("sandbox: a socket, a program, a process or code of its own end it or fail", "[guest][core_dump]") {
  if (::geteuid() != 0) SKIP("only root can give anything up");
  const guest::TestDirectory jail;
  const auto killed = 1000 + SIGSYS;
  CHECK(exit_code_of(jail, [] { return static_cast<int>(::syscall(SYS_socket, 1, 1, 0)); }) == killed);
  CHECK(exit_code_of(jail, [] { return static_cast<int>(::syscall(SYS_execve, "/symbols.debug", nullptr, nullptr)); }) == killed);
  CHECK(exit_code_of(jail, [] { return static_cast<int>(::syscall(SYS_fork)); }) == killed);
  CHECK(exit_code_of(jail, [] { return static_cast<int>(::syscall(SYS_ptrace, 0, 0, 0, 0)); }) == killed);
  CHECK(exit_code_of(jail, [] { return static_cast<int>(::syscall(SYS_kill, 1, 0)); }) == killed);
  CHECK(exit_code_of(jail, [] {
          return ::syscall(SYS_mmap, nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1 ? errno : 0;
        }) == EACCES);
}

TEST_CASE("sandbox: what runs on without end is ended by its clock", "[guest][core_dump]") {
  if (::geteuid() != 0) SKIP("only root can give anything up");
  const guest::TestDirectory jail;
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!give_up_privileges({jail.path().c_str(), "/nowhere"}) || !confine(std::chrono::milliseconds(50))) ::_exit(refused_to_start);
    for (std::atomic<int> turns = 0;; ++turns) {}
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGALRM);
}

TEST_CASE("sandbox: without a root to go to nothing is given up and nothing may be parsed", "[guest][core_dump]") {
  const auto done = give_up_privileges({"/nowhere", "/nowhere-either"});
  REQUIRE(done.has_error());
  CHECK(done.error().message().find("chroot") != std::string::npos);
}

}  // namespace vigil::guest::core_dump
