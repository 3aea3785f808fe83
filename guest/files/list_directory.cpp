#include "guest/files/entry_name.hpp"
#include "guest/files/ops.hpp"

#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace vigil::guest::files {

namespace {

using nlohmann::json;

constexpr std::size_t batch_bytes = 32 * 1024;

const char* type_of(mode_t mode) {
  if (S_ISREG(mode)) return "file";
  if (S_ISDIR(mode)) return "directory";
  if (S_ISLNK(mode)) return "link";
  if (S_ISFIFO(mode)) return "fifo";
  if (S_ISSOCK(mode)) return "socket";
  return S_ISCHR(mode) ? "character_device" : "block_device";
}

std::string line_of(int directory, const std::string& name) {
  json entry;
  put_name(entry, "name", name);
  struct stat status{};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return dump_json(entry) + "\n";   // gone meanwhile
  entry["type"] = type_of(status.st_mode);
  entry["size"] = status.st_size;
  entry["mode"] = status.st_mode & 07777;
  entry["uid"] = status.st_uid;
  entry["gid"] = status.st_gid;
  entry["mtime_unix_us"] = status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1000;
  char target[4096];
  const ssize_t length = S_ISLNK(status.st_mode) ? ::readlinkat(directory, name.c_str(), target, sizeof target) : -1;
  if (length >= 0) put_name(entry, "target", std::string(target, static_cast<std::size_t>(length)));
  return dump_json(entry) + "\n";
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

void list_directory(Connection& connection, const streams::DirListOpening& opening) {
  struct stat status{};
  if (::stat(opening.path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode))
    return connection.refuse(Error(Errc::invalid, opening.path + " is not a directory"));
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(opening.path.c_str()));
  if (!directory) return connection.refuse(Error::from_errno(opening.path, errno));
  if (!connection.accept("{}")) return;
  std::string batch;
  std::uint64_t entries = 0;
  while (const dirent* const entry = ::readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    batch += line_of(::dirfd(directory.get()), name);
    ++entries;
    if (batch.size() < batch_bytes) continue;
    if (!connection.send(streams::Channel::data, batch)) return;
    batch.clear();
  }
  if (!connection.send(streams::Channel::data, batch)) return;
  connection.finish(streams::Done{entries});
}

}  // namespace vigil::guest::files
