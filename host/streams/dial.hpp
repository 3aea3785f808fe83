// How a stream's connection into the guest is made: by the run's shim, or, where that does not dial, over the VM's hybrid-vsock socket (`CONNECT 5253`).
//
// Errors: Errc::unavailable: nobody is there (no device, no agent yet, it went away), or the vsock device says why not. Errc::protocol.
// Source: CONTRACTS "Streams"; tech §1.3 (one write for CONNECT; every failure is an end of file).
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <string>

namespace vigil::streams {

struct Dialled {
  UniqueFd fd;  // non-blocking; the guest's streams port is at its other end
  std::string unread{};  // what of the guest's came along already
};

/// Called once a stream; on the event thread.
using Dial = std::function<boost::asio::awaitable<Result<Dialled>>()>;

Error nobody_there();

/// A dial given up before its answer is hung up: vhost-device-vsock 0.3.0 does not survive that (host/shim/guest_dials.hpp).
boost::asio::awaitable<Result<Dialled>> dial_directly(std::string vsock_path);

}  // namespace vigil::streams
