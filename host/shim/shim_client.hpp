// The daemon's side of vigil-shim: start one, attach to one that runs, signal its VMM.
//
// Thread: the daemon's event thread.
// Adopting: after a restart of the daemon, for each run that has not ended in the store: attach(); when that fails with Errc::unavailable, read
//         exit.json (read_exit_record); when there is none and the shim's identity is not alive, the shim was killed: the kernel has killed its VMM
//         and device with it, and how the run ended is not known.
#pragma once

#include "host/shim/shim_event.hpp"
#include "host/shim/shim_spec.hpp"
#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace vigil::shim {

/// Returns when the shim listens on its socket; it starts device and VMM meanwhile (a Status or VmmStarted tells). It is nobody's child but init's.
/// Errors: Errc::not_found no such program; Errc::conflict a shim of this run lives already; else what the shim could not do, in words.
boost::asio::awaitable<Result<ProcessIdentity>> spawn_shim(std::string program, ShimSpec spec);

/// One client's connection to a shim. Not copied or moved; destroying it closes the connection and leaves the shim alone.
class ShimConnection {
public:
  /// Console bytes come from `console_offset` on. Errors: Errc::unavailable when no shim answers there.
  static boost::asio::awaitable<Result<std::unique_ptr<ShimConnection>>> attach(std::string socket_path, std::uint64_t console_offset);

  virtual ~ShimConnection() = default;

  /// The next event; one waiter at a time. Errc::unavailable when the shim is gone (after Ended this is normal, before it the shim was killed),
  /// Errc::protocol when it sent what cannot be.
  virtual boost::asio::awaitable<Result<ShimEvent>> next() = 0;

  /// The socket that came with the Dialled event that next() has just given; empty when this process was out of descriptors.
  virtual UniqueFd take_passed() = 0;

  /// Connects to that port of the guest, for a shim that dials (Status::dials); next() has to be awaited meanwhile. A dial that its caller gives up is hung up when the guest
  /// has answered it, not before. Errors: Errc::unavailable nobody is there, the device refuses, or the shim is gone.
  virtual boost::asio::awaitable<Result<UniqueFd>> dial(std::uint32_t port) = 0;

  /// Asks the shim to send the VMM a signal (SIGTERM, SIGKILL); does not wait for its end. Errc::unavailable when the shim is gone.
  virtual Result<void> kill_vmm(int signal) = 0;

  /// Ends a pending next() and dial() with Errc::unavailable.
  virtual void close() = 0;
};

}  // namespace vigil::shim
