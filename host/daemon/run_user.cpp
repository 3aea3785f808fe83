#include "host/daemon/run_user.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace vigil::daemon {

namespace {
// Above what systemd hands out to containers (systemd, "Users, Groups, UIDs and GIDs"), below the sign bit.
constexpr std::uint32_t first_uid = 1'879'100'000;
constexpr std::uint32_t uid_count = 60'000;
}  // namespace

std::optional<shim::Credentials> take_run_user(RunHost& host) {
    if (::geteuid() != 0) return std::nullopt;
    std::uint32_t uid = first_uid;
    while (host.uids_in_use.contains(uid) && uid < first_uid + uid_count) ++uid;
    host.uids_in_use.insert(uid);
    shim::Credentials user;
    user.uid = uid;
    user.gid = uid;
    struct stat kvm {};
    if (host.accelerator.accelerator == protocol::Accelerator::kvm && ::stat("/dev/kvm", &kvm) == 0) user.groups.push_back(kvm.st_gid);
    return user;
}

std::optional<shim::Credentials> adopt_run_user(RunHost& host, const std::filesystem::path& run_dir) {
    struct stat status {};
    if (::geteuid() != 0 || ::stat(run_dir.c_str(), &status) != 0 || status.st_uid < first_uid) return std::nullopt;
    host.uids_in_use.insert(status.st_uid);
    shim::Credentials user;
    user.uid = status.st_uid;
    user.gid = status.st_gid;
    return user;
}

void release_run_user(RunHost& host, const std::optional<shim::Credentials>& user) {
    if (user) host.uids_in_use.erase(user->uid);
}

Result<void> give_to(const std::filesystem::path& path, const std::optional<shim::Credentials>& user) {
    if (!user || ::lchown(path.c_str(), user->uid, user->gid) == 0) return {};
    return Error::from_errno("chown " + path.string(), errno);
}

}  // namespace vigil::daemon
