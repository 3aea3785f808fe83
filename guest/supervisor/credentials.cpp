#include "guest/supervisor/credentials.hpp"

#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace vigil::guest::supervisor {
namespace {

protocol::Cause unreadable(const std::string& name, const std::string& why) {
  return protocol::make_cause(protocol::CauseCode::service_secret_unreadable, {{"name", name}}, {why});
}

/// 0 or an errno.
int write_secret(const std::string& path, const std::string& value, const process::Credentials& owner) {
  unlink(path.c_str());
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400));
  if (!file) return errno;
  if (write(file.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) return errno != 0 ? errno : EIO;
  return geteuid() != 0 || fchown(file.get(), owner.uid, owner.gid) == 0 ? 0 : errno;
}

}  // namespace

std::variant<std::string, protocol::Cause> write_credentials(const service_spec::ServiceSpec& spec, const SupervisorOptions& options,
                                                             const process::Credentials& owner) {
  const std::string all = options.runtime_dir + "/credentials", directory = all + "/" + spec.name.value();
  mkdir(all.c_str(), 0711);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return unreadable(spec.secrets.front(), std::strerror(errno));
  if (geteuid() == 0 && chown(directory.c_str(), owner.uid, owner.gid) != 0) return unreadable(spec.secrets.front(), std::strerror(errno));
  for (const std::string& name : spec.secrets) {
    const auto secret = options.secrets.find(name);
    if (secret == options.secrets.end()) return unreadable(name, "the VM was not given it");
    if (name.empty() || name.find('/') != std::string::npos || name.front() == '.') return unreadable(name, "not a file name");
    if (const int error = write_secret(directory + "/" + name, secret->second, owner); error != 0) return unreadable(name, std::strerror(error));
  }
  return directory;
}

}  // namespace vigil::guest::supervisor
