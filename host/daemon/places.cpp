#include "host/daemon/places.hpp"

#include "host/async/unix_listener.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace vigil::daemon {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t id_length = 13;                              // vm- and ten characters
constexpr std::string_view longest_socket_name = "vsock_5252.tmp"; // room for what a device may append

Result<void> make_directory(const fs::path& path, mode_t mode) {
    std::error_code failure;
    const bool is_new = fs::create_directories(path, failure);
    if (failure) return Error(Errc::io, "create " + path.string() + ": " + failure.message());
    if (is_new && ::chmod(path.c_str(), mode) != 0) return Error::from_errno("chmod " + path.string(), errno);
    if (::access(path.c_str(), W_OK | X_OK) != 0) return Error::from_errno(path.string() + " cannot be written", errno);
    return {};
}

}  // namespace

Result<void> prepare_places(const Places& places) {
    const std::size_t longest = places.run.string().size() + 1 + id_length + 1 + longest_socket_name.size();
    if (longest > async::max_socket_path)
        return Error(Errc::limit, "--run " + places.run.string() + " is too long: socket paths below it would have " + std::to_string(longest) +
                                      " bytes, " + std::to_string(async::max_socket_path) + " are possible");
    TRY_VOID(make_directory(places.state, 0700));
    TRY_VOID(make_directory(places.instances(), 0700));
    TRY_VOID(make_directory(places.images(), 0755));
    TRY_VOID(make_directory(places.blackboxes(), 0700));
    TRY_VOID(make_directory(places.run, 0711));  // VMM processes run under users of their own and must reach their run's directory
    return {};
}

}  // namespace vigil::daemon
