// A TCP connection inside a VM as bytes: chunks are made and taken apart here.
//
// Shape:  read() gives what has come, and an empty string at the service's end of sending; write() takes bytes, end() says that no more come. One reader and one
//         writer at a time. At most two chunks are held.
// Errors: Errc::unavailable: the stream broke; what the guest says of a broken connection comes with its own code; Errc::protocol.
#pragma once

#include "host/streams/guest_stream.hpp"
#include "shared/streams/chunk.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include <string>
#include <vector>

namespace vigil::streams {

inline constexpr std::size_t pipe_block_bytes = 32 * 1024;

class GuestPipe {
  public:
    GuestPipe(boost::asio::any_io_executor executor, GuestStream stream);
    boost::asio::awaitable<Result<std::string>> read();
    boost::asio::awaitable<Result<void>> write(std::string bytes);
    boost::asio::awaitable<Result<void>> end();
    /// Waits for the guest's last word: then it has everything that was written. (A vsock device may lose what is on its way when we close before.)
    boost::asio::awaitable<void> last_word();
    void close();

  private:
    boost::asio::awaitable<Result<void>> send(std::string chunks);
    Result<void> take_control(const Chunk& chunk);

    boost::asio::generic::stream_protocol::socket socket_;
    ChunkReader chunks_;
    std::vector<char> block_;
    std::shared_ptr<const void> in_use_;
    bool ended_ = false, over_ = false;
};

}  // namespace vigil::streams
