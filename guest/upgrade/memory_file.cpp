#include "guest/upgrade/memory_file.hpp"

#include "guest/upgrade/codec.hpp"
#include "shared/signin/sha256.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U   // since Linux 6.3, which warns, or refuses to execute, without it
#endif

namespace vigil::guest::upgrade {
namespace {

Result<std::string> read_whole(int fd, const std::string& what, std::size_t limit) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return Error::from_errno(what, errno);
  if (!S_ISREG(status.st_mode)) return Error(Errc::invalid, what + " is not a file");
  if (static_cast<std::uint64_t>(status.st_size) > limit)
    return Error(Errc::limit, what + " has more than " + std::to_string(limit >> 20) + " MiB");
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  for (std::size_t got = 0; got < bytes.size();) {
    const ssize_t count = ::pread(fd, bytes.data() + got, bytes.size() - got, static_cast<off_t>(got));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Error(Errc::io, what + " cannot be read whole");
    got += static_cast<std::size_t>(count);
  }
  return bytes;
}

Result<void> write_whole(int fd, std::string_view bytes) {
  for (std::size_t written = 0; written < bytes.size();) {
    const ssize_t count = ::pwrite(fd, bytes.data() + written, bytes.size() - written, static_cast<off_t>(written));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Error::from_errno("write to memory", errno);
    written += static_cast<std::size_t>(count);
  }
  return {};
}

}  // namespace

Result<UniqueFd> take_program(const std::string& path, const std::string& sha256) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return Error::from_errno(path, errno);
  TRY(bytes, read_whole(file.get(), path, max_program_bytes));
  if (const std::string found = signin::sha256_hex(bytes); found != sha256)
    return Error(Errc::invalid, path + " has the SHA-256 " + found + ", not " + sha256 +
                                    ": it was not sent whole, or another has written it; send it again");
  UniqueFd program(::memfd_create("vigil-guest", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC));
  if (!program && errno == EINVAL) program.reset(::memfd_create("vigil-guest", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!program) return Error::from_errno("memfd", errno);
  TRY_VOID(write_whole(program.get(), bytes));
  if (::fcntl(program.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
    return Error::from_errno("seal", errno);
  return program;
}

Result<void> put_state(UniqueFd& file, std::string_view bytes) {
  if (!file) file.reset(::memfd_create("vigil-guest-state", MFD_CLOEXEC));
  if (!file) return Error::from_errno("memfd", errno);
  if (::ftruncate(file.get(), 0) != 0) return Error::from_errno("memfd", errno);
  return write_whole(file.get(), bytes);
}

Result<std::string> read_state(int fd) { return read_whole(fd, "the state of the agent before", max_state_bytes + 4096); }

Result<void> install_own_program(const std::string& path) {
  const UniqueFd own(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  if (!own) return Error::from_errno("/proc/self/exe", errno);
  TRY(bytes, read_whole(own.get(), "/proc/self/exe", max_program_bytes));
  const std::string part = path + ".next";
  ::unlink(part.c_str());
  UniqueFd file(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755));
  if (!file) return Error::from_errno(part, errno);
  const auto written = write_whole(file.get(), bytes);
  file.reset();
  if (written && std::rename(part.c_str(), path.c_str()) == 0) return {};
  const int error = errno;
  ::unlink(part.c_str());
  return written ? Result<void>(Error::from_errno(path, error)) : written;
}

Result<void> set_over_exec(int fd, OverExec how) {
  if (::fcntl(fd, F_SETFD, how == OverExec::open ? 0 : FD_CLOEXEC) == 0) return {};
  return Error(Errc::invalid, "descriptor " + std::to_string(fd) + " of the agent before is not open");
}

}  // namespace vigil::guest::upgrade
