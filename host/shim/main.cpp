// vigil-shim: the parent of one VMM. Started by vigild with its spec on descriptor 3; becomes nobody's child, so that it outlives the daemon.
#include "host/async/unix_listener.hpp"
#include "host/shim/inherited.hpp"
#include "host/shim/shim.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>

namespace {

using namespace vigil;
using namespace vigil::shim;

constexpr std::size_t max_spec_bytes = 1 << 20;

Result<std::string> read_spec() {
  std::string text;
  char buffer[16384];
  ssize_t got = 0;
  while ((got = ::read(spec_fd, buffer, sizeof(buffer))) != 0) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno("read the spec from descriptor 3", errno);
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > max_spec_bytes) return Error(Errc::limit, "the spec is longer than 1 MiB");
  }
  ::close(spec_fd);
  return text;
}

/// Leaves the daemon: its child ends at once, we go on as init's child in a session of our own.
void leave_parent() {
  if (::fork() != 0) ::_exit(0);
  ::setsid();
  [[maybe_unused]] const int moved = ::chdir("/");
  ::umask(077);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  ::prctl(PR_SET_NAME, "vigil-shim", 0, 0, 0);
}

/// The VMM is to die of memory shortage before the one who tells of it. Only root may ask for that.
void outlive_the_vmm() {
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const auto written = ::write(fd, "-500", 4);
  ::close(fd);
}

Result<UniqueFd> take_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT}) sigaddset(&wanted, signal);
  if (::sigprocmask(SIG_BLOCK, &wanted, nullptr) != 0) return Error::from_errno("sigprocmask", errno);
  UniqueFd signals(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return Error::from_errno("signalfd", errno);
  return signals;
}

Result<std::unique_ptr<Shim>> make_shim() {
  constexpr unsigned owner_only = 0600;
  TRY(text, read_spec());
  TRY(spec, parse_shim_spec(text));
  TRY(listener, async::listen_unix(shim_socket_path(spec.run_dir), owner_only, SOMAXCONN));
  TRY(signals, take_signals());
  return Shim::make(std::move(spec), std::move(listener), std::move(signals));
}

int run() {
  leave_parent();
  outlive_the_vmm();
  ::fcntl(report_fd, F_SETFD, FD_CLOEXEC);
  auto shim = make_shim();
  const auto birth = shim ? identify(::getpid()) : Result<ProcessIdentity>(shim.error());
  const std::string line = encode_birth(birth);
  [[maybe_unused]] const auto written = ::write(report_fd, line.data(), line.size());
  ::close(report_fd);
  if (!shim) return 1;
  ::dup2(STDOUT_FILENO, STDERR_FILENO);   // /dev/null: the daemon's stderr may be a pipe whose reader waits for its end
  (*shim)->run();
  return 0;
}

}  // namespace

int main() {
  if (::fcntl(spec_fd, F_GETFD) < 0 || ::fcntl(report_fd, F_GETFD) < 0) {
    std::fputs("vigil-shim is started by vigild, one for each run of a VM; it has no use of its own.\n", stderr);
    return 2;
  }
  try {
    return run();
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "vigil-shim: %s\n", problem.what());
    return 1;
  }
}
