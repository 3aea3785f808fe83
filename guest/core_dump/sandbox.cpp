#include "guest/core_dump/sandbox.hpp"

#include "guest/process/small_file.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

namespace vigil::guest::core_dump {
namespace {

constexpr rlim_t heap_bytes = 48 << 20, address_bytes = rlim_t{2} << 30;  // the files that it maps for reading count for the second alone
constexpr int politeness = 5;  // services go first
constexpr unsigned low_half = 0;  // of an argument, in the filter's view of it; all that are looked at fit in 32 bits

Error failed(const char* step) { return Error(Errc::unavailable, std::string(step) + ": " + std::strerror(errno)); }

void limit(__rlimit_resource what, rlim_t value) {
  const rlimit both{value, value};
  ::setrlimit(what, &both);
}

sock_filter load(std::size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
sock_filter answer(std::uint32_t what) { return BPF_STMT(BPF_RET | BPF_K, what); }

/// Lets a call pass when no bit of `forbidden` is set in one of its arguments; else it fails with EACCES.
void allow_without(std::vector<sock_filter>& filter, long call, unsigned argument, std::uint32_t forbidden) {
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 4));
  filter.push_back(load(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t) + low_half));
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, forbidden, 0, 1));
  filter.push_back(answer(SECCOMP_RET_ERRNO | EACCES));
  filter.push_back(answer(SECCOMP_RET_ALLOW));
}

std::vector<sock_filter> make_filter() {
  std::vector<sock_filter> filter = {load(offsetof(seccomp_data, arch)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
                                     answer(SECCOMP_RET_KILL_PROCESS), load(offsetof(seccomp_data, nr))};
  constexpr long allowed[] = {SYS_read,   SYS_pread64,        SYS_lseek,         SYS_fstat,        SYS_newfstatat, SYS_close,
                              SYS_write,  SYS_munmap,         SYS_mremap,        SYS_brk,          SYS_madvise,    SYS_fcntl,
                              SYS_flock,  SYS_futex,          SYS_clock_gettime, SYS_getrandom,    SYS_getpid,     SYS_gettid,
                              SYS_tgkill, SYS_rt_sigprocmask, SYS_rt_sigaction,  SYS_rt_sigreturn, SYS_exit,       SYS_exit_group};
  for (const long call : allowed) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
    filter.push_back(answer(SECCOMP_RET_ALLOW));
  }
  allow_without(filter, SYS_mmap, 2, PROT_EXEC);
  allow_without(filter, SYS_mprotect, 2, PROT_EXEC);
  allow_without(filter, SYS_openat, 2, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC);
  filter.push_back(answer(SECCOMP_RET_KILL_PROCESS));
  return filter;
}

}  // namespace

Result<void> give_up_privileges(const Jail& jail) {
  process::write_control_file("/proc/self/oom_score_adj", "1000");  // rather a trace less than a service less
  ::setpriority(PRIO_PROCESS, 0, politeness);
  if ((::chroot(jail.root) != 0 && ::chroot(jail.empty_root) != 0) || ::chdir("/") != 0) return failed("chroot");
  if (::setgroups(0, nullptr) != 0 || ::setresgid(core_uid, core_uid, core_uid) != 0) return failed("setgid");
  if (::setresuid(core_uid, core_uid, core_uid) != 0) return failed("setuid");
  ::prctl(PR_SET_DUMPABLE, 0);
  return {};
}

Result<void> confine(std::chrono::milliseconds wall) {
  std::vector<sock_filter> filter = make_filter();   // before the limits: what allocates here must still be able to
  limit(RLIMIT_DATA, heap_bytes);
  limit(RLIMIT_AS, address_bytes);
  limit(RLIMIT_FSIZE, 0);
  limit(RLIMIT_NPROC, 0);
  limit(RLIMIT_CPU, static_cast<rlim_t>(wall.count() / 1000 + 1));
  const itimerval end{{0, 0}, {wall.count() / 1000, (wall.count() % 1000) * 1000}};
  if (::setitimer(ITIMER_REAL, &end, nullptr) != 0) return failed("setitimer");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("no_new_privs");
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return failed("seccomp");
  return {};
}

}  // namespace vigil::guest::core_dump
