#include "host/shim/child.hpp"

#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>

namespace vigil::shim {

namespace {

constexpr int above_targets = 100;   // targets are below: no dup2 can hit a source

enum class Step { descriptors, groups, user, privileges, death_signal, exec };
const char* text_of(Step step) {
  switch (step) {
    case Step::descriptors: return "pass its descriptors";
    case Step::groups: return "set its groups";
    case Step::user: return "become its user";
    case Step::privileges: return "give up privileges";
    case Step::death_signal: return "tie it to the shim";
    case Step::exec: return "execute it";
  }
  std::abort();
}

struct Failure { Step step = Step::exec; int error = 0; };

/// Everything that the child uses, made before the fork.
struct Prepared {
  std::vector<char*> argv;
  std::vector<Inherited> inherited;
  const std::optional<Credentials>* credentials = nullptr;
  int report = -1;
  pid_t parent = 0;
};

[[noreturn]] void fail(const Prepared& prepared, Step step) {
  const Failure failure{step, errno};
  [[maybe_unused]] const auto written = ::write(prepared.report, &failure, sizeof(failure));
  ::_exit(127);
}

void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void take_credentials(const Prepared& prepared) {
  if (const auto& wanted = *prepared.credentials) {
    if (::setgroups(wanted->groups.size(), wanted->groups.data()) != 0) fail(prepared, Step::groups);
    if (::setresgid(wanted->gid, wanted->gid, wanted->gid) != 0) fail(prepared, Step::groups);
    if (::setresuid(wanted->uid, wanted->uid, wanted->uid) != 0) fail(prepared, Step::user);
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail(prepared, Step::privileges);
}

/// The file is written before the credentials change; a shim that is not root may not protect itself, then there is nothing to undo.
void be_an_ordinary_oom_victim() {
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const auto written = ::write(fd, "0", 1);
  ::close(fd);
}

[[noreturn]] void become(const Prepared& prepared) {
  reset_signals();
  for (const Inherited& item : prepared.inherited)
    if (::dup2(item.fd, item.target) < 0) fail(prepared, Step::descriptors);
  be_an_ordinary_oom_victim();
  const rlimit no_core{0, 0};   // a core file would hold the guest's memory
  ::setrlimit(RLIMIT_CORE, &no_core);
  take_credentials(prepared);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) fail(prepared, Step::death_signal);
  if (::getppid() != prepared.parent) ::_exit(127);   // the shim died before the kernel knew that we care
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* const environment[] = {path, nullptr};
  ::execve(prepared.argv[0], prepared.argv.data(), environment);
  fail(prepared, Step::exec);
}

Result<void> lift(const std::vector<Inherited>& inherited, std::vector<UniqueFd>& sources, Prepared& prepared) {
  for (const Inherited& item : inherited) {
    sources.emplace_back(::fcntl(item.fd, F_DUPFD_CLOEXEC, above_targets));
    if (!sources.back()) return Error::from_errno("duplicate a descriptor", errno);
    prepared.inherited.push_back({sources.back().get(), item.target});
  }
  return {};
}

}  // namespace

Result<pid_t> start_child(const ChildPlan& plan) {
  Prepared prepared;
  for (const std::string& argument : plan.argv) prepared.argv.push_back(const_cast<char*>(argument.c_str()));
  prepared.argv.push_back(nullptr);
  prepared.credentials = &plan.credentials;
  prepared.parent = ::getpid();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("pipe", errno);
  const UniqueFd report_out(ends[0]);
  UniqueFd report_in(::fcntl(ends[1], F_DUPFD_CLOEXEC, above_targets));
  ::close(ends[1]);
  prepared.report = report_in.get();
  std::vector<UniqueFd> sources;
  TRY_VOID(lift(plan.inherited, sources, prepared));

  const pid_t pid = ::fork();
  if (pid < 0) return Error::from_errno("fork", errno);
  if (pid == 0) become(prepared);
  report_in.reset();
  Failure failure;
  ssize_t got = 0;   // ends at the exec, which closes the other end
  while ((got = ::read(report_out.get(), &failure, sizeof(failure))) < 0 && errno == EINTR) {}
  if (got == 0) return pid;
  ::waitpid(pid, nullptr, 0);
  return Error::from_errno(plan.argv[0] + ": cannot " + text_of(failure.step), failure.error);
}

void kill_all_children() {
  const std::string path = "/proc/self/task/" + std::to_string(::getpid()) + "/children";
  do {
    std::ifstream children(path);
    for (pid_t pid = 0; children >> pid;) ::kill(pid, SIGKILL);
  } while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR);
}

}  // namespace vigil::shim
