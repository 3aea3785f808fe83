#include "guest/files/ops.hpp"

#include "guest/process/accounts.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>

namespace vigil::guest::files {

namespace {

/// A new file beside its final place; gone unless publish() was called.
class NewFile {
public:
  explicit NewFile(std::string path) : path_(std::move(path)) {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  Result<void> create();
  Result<void> write(std::string_view bytes);
  Result<void> publish(std::uint32_t mode, uid_t uid, gid_t gid);

private:
  Error failed(const char* step) const { return Error::from_errno(path_ + ": " + step, errno); }
  std::string directory() const { return path_.substr(0, path_.rfind('/') + 1); }

  std::string path_, temporary_;
  UniqueFd file_;
};

Result<void> NewFile::create() {
  std::string name = directory() + ".vigil-XXXXXX";
  file_.reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!file_) return Error::from_errno("create a file in " + directory(), errno);
  temporary_ = name;
  return {};
}

Result<void> NewFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("write");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> NewFile::publish(std::uint32_t mode, uid_t uid, gid_t gid) {
  if (::fchown(file_.get(), uid, gid) != 0 && ::geteuid() == 0) return failed("change the owner");
  if (::fchmod(file_.get(), mode) != 0) return failed("change the mode");
  if (::fsync(file_.get()) != 0) return failed("sync");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return failed("rename");
  temporary_.clear();
  const UniqueFd folder(::open(directory().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return failed("sync its directory");
  return {};
}

struct Target {
  std::string path;
  std::uint32_t mode = 0644;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// Where the file goes and what it will look like: links are followed, what is replaced lends its mode and owner.
Result<Target> target_of(const streams::FileWriteOpening& opening) {
  Target target{opening.path};
  struct stat status{};
  if (::stat(opening.path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return Error(Errc::invalid, opening.path + " is a directory");
    if (!S_ISREG(status.st_mode)) return Error(Errc::invalid, opening.path + " is not a regular file");
    if (char* const real = ::realpath(opening.path.c_str(), nullptr)) {
      target.path = real;
      std::free(real);
    }
    target.mode = status.st_mode & 07777;
    target.uid = status.st_uid;
    target.gid = status.st_gid;
  }
  if (opening.mode) target.mode = *opening.mode;
  if (!opening.user.empty()) {
    TRY(account, process::look_up_account(opening.user, ""));
    target.uid = account.credentials.uid;
    target.gid = account.credentials.gid;
  }
  return target;
}

}  // namespace

void write_file(Connection& connection, const streams::FileWriteOpening& opening) {
  const auto target = target_of(opening);
  if (!target) return connection.refuse(target.error());
  NewFile file(target->path);
  if (const auto created = file.create(); !created) return connection.refuse(created.error());
  if (!connection.accept("{}")) return;
  std::uint64_t written = 0;
  for (;;) {
    const auto chunk = connection.receive();
    if (!chunk) return;   // cut off: the file does not appear
    if (chunk->channel != streams::Channel::data) continue;
    if (chunk->is_end()) break;
    if (const auto done = file.write(chunk->bytes); !done) return connection.finish(streams::Problem{done.error().code(), done.error().message()});
    written += chunk->bytes.size();
  }
  const auto published = file.publish(target->mode, target->uid, target->gid);
  if (!published) return connection.finish(streams::Problem{published.error().code(), published.error().message()});
  connection.finish(streams::Done{written});
}

}  // namespace vigil::guest::files
