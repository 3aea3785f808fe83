#include "guest/signin/credential_file.hpp"

#include "shared/base/unique_fd.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace vigil::guest::signin {

namespace {

Result<UniqueFd> open_home(const std::string& home) {
  UniqueFd directory(::open(home.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return Error::from_errno(home, errno);
  return directory;
}

/// Not blocking: a FIFO without a writer must not keep us.
Result<UniqueFd> open_beneath(const std::string& home, const std::string& path, std::uint64_t flags) {
  TRY(directory, open_home(home));
  open_how how{};
  how.flags = flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long fd = ::syscall(SYS_openat2, directory.get(), path.c_str(), &how, sizeof how);
  if (fd >= 0) return UniqueFd(static_cast<int>(fd));
  if (errno == ELOOP) return Error(Errc::denied, "~/" + path + " is, or is reached by, a symbolic link");
  return Error::from_errno("~/" + path, errno);
}

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

Result<FileMark> check_file(int fd, const std::string& path, uid_t owner) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return Error::from_errno("~/" + path, errno);
  if (!S_ISREG(status.st_mode)) return Error(Errc::denied, "~/" + path + " is not a regular file");
  if (status.st_uid != owner)
    return Error(Errc::denied, "~/" + path + " belongs to user " + std::to_string(status.st_uid) + ", not to " + std::to_string(owner));
  if (status.st_nlink != 1) return Error(Errc::denied, "~/" + path + " has " + std::to_string(status.st_nlink) + " names");
  return FileMark{status.st_ino, static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

/// As much of `into` as there is.
Result<std::size_t> read_whole(int fd, std::string& into) {
  std::size_t size = 0;
  while (size < into.size()) {
    const ssize_t count = ::read(fd, into.data() + size, into.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error::from_errno("a credential file", errno);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  return size;
}

std::string directory_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? "." : std::string(path.substr(0, slash));
}

}  // namespace

Result<CredentialFile> read_credential(const std::string& home, std::string_view path, uid_t owner, std::size_t max_bytes) {
  const std::string name(path);
  TRY(fd, open_beneath(home, name, O_RDONLY));
  TRY(mark, check_file(fd.get(), name, owner));
  CredentialFile file{mark, std::string(max_bytes + 1, '\0')};
  const auto size = read_whole(fd.get(), file.bytes);
  const auto after = check_file(fd.get(), name, owner);
  if (size && after && *after == mark) {
    file.bytes.resize(*size);
    return file;
  }
  wipe(file.bytes);
  if (!size) return size.error();
  if (!after) return after.error();
  return Error(Errc::conflict, "~/" + name + " has changed while it was read");
}

Result<FileMark> mark_of(const std::string& home, std::string_view path, uid_t owner) {
  const std::string name(path);
  TRY(fd, open_beneath(home, name, O_RDONLY));
  return check_file(fd.get(), name, owner);
}

Result<void> remove_credential(const std::string& home, std::string_view path, uid_t owner, const FileMark& mark) {
  TRY(now, mark_of(home, path, owner));
  if (!(now == mark)) return Error(Errc::conflict, "~/" + std::string(path) + " has changed since it was read");
  TRY(directory, open_beneath(home, directory_of(path), O_RDONLY | O_DIRECTORY));
  const std::string name(path.substr(path.rfind('/') + 1));
  if (::unlinkat(directory.get(), name.c_str(), 0) != 0) return Error::from_errno("~/" + std::string(path), errno);
  return {};
}

std::vector<std::string> names_beside(const std::string& home, std::string_view path, std::size_t count) {
  std::vector<std::string> names;
  auto directory = open_beneath(home, directory_of(path), O_RDONLY | O_DIRECTORY);
  if (!directory) return names;
  const auto close = [](DIR* each) { ::closedir(each); };
  const std::unique_ptr<DIR, decltype(close)> entries(::fdopendir(directory->get()), close);
  if (!entries) return names;
  static_cast<void>(directory->release());   // the stream's now
  while (const auto* entry = ::readdir(entries.get())) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    if (names.size() >= count) break;
    names.emplace_back(entry->d_name, std::min<std::size_t>(std::strlen(entry->d_name), 64));
  }
  return names;
}

void wipe(std::string& secret) {
  ::explicit_bzero(secret.data(), secret.size());
  secret.clear();
  secret.shrink_to_fit();
}

}  // namespace vigil::guest::signin
