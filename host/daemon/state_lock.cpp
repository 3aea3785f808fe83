#include "host/daemon/state_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace vigil::daemon {

Result<UniqueFd> lock_state(const std::filesystem::path& lock_file) {
    UniqueFd file(::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file) return Error::from_errno("open " + lock_file.string(), errno);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return Error::from_errno("lock " + lock_file.string(), errno);
        char text[32] = {};
        const ssize_t got = ::pread(file.get(), text, sizeof(text) - 1, 0);
        const std::string pid = got > 0 ? std::string(text, static_cast<std::size_t>(got)).substr(0, std::string(text).find('\n')) : "?";
        return Error(Errc::conflict, "another vigild (pid " + pid + ") uses the directory " + lock_file.parent_path().string());
    }
    const std::string pid = std::to_string(::getpid()) + "\n";
    // The pid is for people; the lock itself is the kernel's. A full disk therefore does no harm here.
    if (::ftruncate(file.get(), 0) == 0) [[maybe_unused]] const auto written = ::pwrite(file.get(), pid.data(), pid.size(), 0);
    return file;
}

}  // namespace vigil::daemon
