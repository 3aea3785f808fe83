#include "host/vmm/boot_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace vigil::vmm {

Result<BootFile> BootFile::open(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));   // a FIFO must not hang us
  if (!file) return Error::from_errno("it cannot be opened", errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return Error::from_errno("stat", errno);
  if (!S_ISREG(status.st_mode)) return Error(Errc::invalid, "it is not a regular file");
  return BootFile(std::move(file), static_cast<std::uint64_t>(status.st_size));
}

std::string BootFile::read(std::uint64_t offset, std::size_t bytes) const {
  std::string out(bytes, '\0');
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t got = ::pread(file_.get(), out.data() + done, bytes - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  out.resize(done);
  return out;
}

}  // namespace vigil::vmm
