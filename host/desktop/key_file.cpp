#include "host/desktop/key_file.hpp"

#include "host/desktop/permit.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace vigil::desktop {

namespace {

Result<std::string> read_key(const std::string& path, int file) {
  struct stat facts{};
  if (::fstat(file, &facts) != 0) return Error::from_errno("look at " + path, errno);
  std::string key(key_bytes + 1, '\0');
  const bool is_private = S_ISREG(facts.st_mode) && (facts.st_mode & 077) == 0 && facts.st_uid == ::geteuid();
  if (!is_private || ::read(file, key.data(), key.size()) != static_cast<ssize_t>(key_bytes))
    return Error(Errc::invalid, path +
                                    " is not a file of 32 bytes that its owner alone may read; remove it, and a new one is made "
                                    "(pages that are open then ask for a new `vigil desktop`)");
  key.resize(key_bytes);
  return key;
}

}  // namespace

Result<std::string> load_key(const std::string& path) {
  const UniqueFd there(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (there) return read_key(path, there.get());
  if (errno != ENOENT) return Error::from_errno("open " + path, errno);
  auto key = random_key();
  // Whole or not at all: a daemon that is killed here leaves a file beside it, which the next one writes again.
  const std::string fresh = path + ".new";
  const UniqueFd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return Error::from_errno("make " + fresh, errno);
  if (::write(file.get(), key.data(), key.size()) != static_cast<ssize_t>(key.size()) || ::fsync(file.get()) != 0 ||
      ::rename(fresh.c_str(), path.c_str()) != 0)
    return Error::from_errno("write " + path, errno);
  return key;
}

}  // namespace vigil::desktop
