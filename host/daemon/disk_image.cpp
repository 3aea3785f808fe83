#include "host/daemon/disk_image.hpp"

#include "host/fault/fault_point.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

namespace vigil::daemon {

namespace fs = std::filesystem;

namespace {

Error failed(const fs::path& path, const std::string& what) {
    const int reason = errno;
    if (reason == ENOSPC || reason == EDQUOT) return Error(Errc::limit, "host.disk_full: " + path.string() + ": " + what + ": no space left");
    return Error::from_errno(what + " " + path.string(), reason);
}

/// One extent, by the kernel where it can (copy_file_range may share it), else by hand.
Result<void> copy_extent(int from, int to, off_t begin, off_t end, const fs::path& path) {
    off_t read_at = begin, write_at = begin;
    bool by_kernel = true;
    std::array<char, 64 << 10> buffer;
    while (read_at < end) {
        const auto left = static_cast<std::size_t>(end - read_at);
        if (by_kernel) {
            const ssize_t copied = ::copy_file_range(from, &read_at, to, &write_at, left, 0);
            if (copied > 0 || (copied < 0 && errno == EINTR)) continue;
            if (copied < 0 && (errno == ENOSPC || errno == EDQUOT)) return failed(path, "copy to");
            by_kernel = false;
        }
        const ssize_t got = ::pread(from, buffer.data(), std::min(buffer.size(), left), read_at);
        if (got <= 0) return failed(path, "read the template of");
        if (::pwrite(to, buffer.data(), static_cast<std::size_t>(got), write_at) != got) return failed(path, "write");
        read_at += got;
        write_at += got;
    }
    return {};
}

Result<void> copy_sparse(int from, int to, off_t size, const fs::path& path) {
    if (::ioctl(to, FICLONE, from) == 0) return {};
    for (off_t at = 0; at < size;) {
        const off_t data = ::lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) return {};  // a hole to the end
        const off_t begin = data < 0 ? at : data;   // a file system without SEEK_DATA: all is data
        const off_t hole = data < 0 ? size : ::lseek(from, begin, SEEK_HOLE);
        const off_t end = hole < 0 ? size : hole;
        TRY_VOID(copy_extent(from, to, begin, end, path));
        at = end;
    }
    return {};
}

Result<void> fill(int from, int to, std::uint64_t bytes, const fs::path& path) {
    struct stat status {};
    if (::fstat(from, &status) != 0) return failed(path, "stat the template of");
    TRY_VOID(copy_sparse(from, to, status.st_size, path));
    const off_t size = std::max(status.st_size, static_cast<off_t>(bytes));
    if (::ftruncate(to, size) != 0) return failed(path, "grow");
    return {};
}

}  // namespace

Result<void> make_disk(const fs::path& from, const fs::path& to, std::uint64_t bytes) {
    std::error_code ignored;
    if (fs::exists(to, ignored)) return {};
    const fault::Around around(fault::Step::make_disk);
    const fs::path unfinished = to.string() + ".new";
    const UniqueFd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
    if (!source) return failed(from, "open");
    const UniqueFd target(::open(unfinished.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!target) return failed(unfinished, "create");
    auto filled = fill(source.get(), target.get(), bytes, to);
    if (filled && ::rename(unfinished.c_str(), to.c_str()) == 0) return {};
    const Error error = filled ? failed(to, "rename to") : filled.error();
    fs::remove(unfinished, ignored);
    return error;
}

}  // namespace vigil::daemon
