// Requests to Firecracker over its Unix socket, one after another.
//
// Shape:  libcurl's easy interface on threads of its own: Firecracker answers one request at a time anyway, and an answer means that it was carried out.
//         A connection is made anew for each request. No body is sent with a GET, and none is expected with 204.
// Errors: Errc::unavailable nobody listens there, or it went away in the middle; Errc::timeout; Errc::limit an answer over 64 KiB.
#pragma once

#include "host/vmm/firecracker/fault.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace vigil::vmm::firecracker {

/// The threads that requests wait on; a few are enough, for they take milliseconds.
class ApiThreads {
public:
  ApiThreads();
  ~ApiThreads();
  ApiThreads(const ApiThreads&) = delete;
  ApiThreads& operator=(const ApiThreads&) = delete;

private:
  friend class ApiClient;
  struct Pool;  // keeps Asio's pool out of this header
  std::unique_ptr<Pool> pool_;
};

class ApiClient {
public:
  ApiClient(ApiThreads& threads, std::string socket_path) : threads_(threads), socket_(std::move(socket_path)) {}

  boost::asio::awaitable<Result<Answer>> send(ControlRequest request);
  /// As send(), but a socket that is not there yet, or not listened on, is tried again until `limit`.
  boost::asio::awaitable<Result<Answer>> send_when_it_listens(ControlRequest request, std::chrono::milliseconds limit);

private:
  ApiThreads& threads_;
  std::string socket_;
};

}  // namespace vigil::vmm::firecracker
