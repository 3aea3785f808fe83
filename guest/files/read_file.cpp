#include "guest/files/ops.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace vigil::guest::files {

namespace {

Result<UniqueFd> open_regular(const std::string& path, struct stat& status) {
  // Not blocking: a FIFO without a writer must not keep us.
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return Error::from_errno(path, errno);
  if (::fstat(file.get(), &status) != 0) return Error::from_errno(path, errno);
  if (S_ISDIR(status.st_mode)) return Error(Errc::invalid, path + " is a directory");
  if (!S_ISREG(status.st_mode)) return Error(Errc::invalid, path + " is not a regular file");
  return file;
}

std::string facts_of(const struct stat& status) {
  return "{\"size\":" + std::to_string(status.st_size) + ",\"mode\":" + std::to_string(status.st_mode & 07777) +
         ",\"mtime_unix_us\":" + std::to_string(status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1000) + "}";
}

}  // namespace

void read_file(Connection& connection, const streams::FileReadOpening& opening) {
  struct stat status{};
  const auto file = open_regular(opening.path, status);
  if (!file) return connection.refuse(file.error());
  if (opening.offset > 0 && ::lseek(file->get(), static_cast<off_t>(opening.offset), SEEK_SET) < 0)
    return connection.refuse(Error::from_errno(opening.path + ": offset", errno));
  if (!connection.accept(facts_of(status))) return;
  std::vector<char> block(256 * 1024);
  std::uint64_t sent = 0;
  while (!opening.length || sent < *opening.length) {
    const std::uint64_t wanted = opening.length ? std::min<std::uint64_t>(block.size(), *opening.length - sent) : block.size();
    const ssize_t count = ::read(file->get(), block.data(), wanted);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return connection.finish(streams::Problem{Errc::io, Error::from_errno(opening.path, errno).message()});
    if (count == 0) break;
    if (!connection.send(streams::Channel::data, {block.data(), static_cast<std::size_t>(count)})) return;
    sent += static_cast<std::uint64_t>(count);
  }
  connection.finish(streams::Done{sent});
}

}  // namespace vigil::guest::files
