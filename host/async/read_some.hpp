// What has come on a socket, read into one buffer that all readers of a thread share: who waits holds none. A daemon waits on thousands.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <span>
#include <string_view>

namespace vigil::async {

struct ReadSome {
  boost::system::error_code failure;
  std::string_view bytes;            // until the reader waits for anything again
};

/// Of this thread.
std::span<char> shared_read_buffer();

/// At least a byte, or the failure. Others have their turn before each read.
template <class Socket>
boost::asio::awaitable<ReadSome> read_some(Socket& socket) {
  ReadSome got;
  do {
    auto ready = co_await socket.async_wait(Socket::wait_read, boost::asio::as_tuple(boost::asio::use_awaitable));
    got.failure = std::get<0>(ready);
    if (got.failure) co_return got;
    if (!socket.non_blocking()) socket.non_blocking(true, got.failure);
    if (got.failure) co_return got;
    const auto room = shared_read_buffer();
    const auto count = socket.read_some(boost::asio::buffer(room.data(), room.size()), got.failure);
    got.bytes = {room.data(), count};
  } while (got.failure == boost::asio::error::would_block);
  co_return got;
}

}  // namespace vigil::async
