// The other end of a Unix socket, for tests that run the event loop in the same thread.
#pragma once

#include "shared/base/unique_fd.hpp"

#include <boost/asio/io_context.hpp>

#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace vigil::test {

inline constexpr std::chrono::seconds patience{20};

/// Runs the loop until `holds`; false when it did not within `patience` (a slow machine under a sanitizer is no failure).
inline bool pump_until(boost::asio::io_context& io, const std::function<bool()>& holds, std::chrono::milliseconds limit = patience) {
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > until) return false;
        io.restart();
        io.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
}

class UnixClient {
  public:
    explicit UnixClient(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        connected_ = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    }
    bool connected() const { return connected_; }
    /// False when the other side has gone.
    bool send(std::string_view bytes) {
        return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(bytes.size());
    }
    /// Takes what has arrived; closed() tells an end.
    const std::string& received() {
        char chunk[65536];
        for (;;) {
            const ssize_t got = ::recv(fd_.get(), chunk, sizeof(chunk), MSG_DONTWAIT);
            if (got > 0) {
                received_.append(chunk, static_cast<std::size_t>(got));
                continue;
            }
            if (got == 0 || (errno != EAGAIN && errno != EINTR)) closed_ = true;
            return received_;
        }
    }
    bool closed() {
        received();
        return closed_;
    }
    void consume(std::size_t bytes) { received_.erase(0, bytes); }
    void clear() { received_.clear(); }
    int fd() const { return fd_.get(); }
    void close() { fd_.reset(); }

  private:
    UniqueFd fd_;
    bool connected_ = false, closed_ = false;
    std::string received_;
};

/// A directory of its own with a short path, gone with its contents at the end.
class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        char name[] = "/tmp/vgt-XXXXXX";
        path_ = ::mkdtemp(name);
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

}  // namespace vigil::test
