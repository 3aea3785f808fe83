// A credential out of a guest's stream and into one, without a copy outside of Secret memory.
//
// Errors: Errc::limit beyond `max`; Errc::protocol when the guest ends early or counts otherwise; a refusal of the guest with its own code and words; Errc::unavailable: the stream broke.
#pragma once

#include "host/streams/guest_stream.hpp"
#include "host/vault/secret.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>

namespace vigil::sessions {

boost::asio::awaitable<Result<vault::Secret>> receive_credential(streams::GuestStream stream, std::size_t max);

/// Returns when the guest has acknowledged it: synced, under its name.
boost::asio::awaitable<Result<void>> send_credential(streams::GuestStream stream, std::shared_ptr<const vault::Secret> credential);

}  // namespace vigil::sessions
