#include "host/sessions/credential_stream.hpp"

#include "shared/base/overloaded.hpp"
#include "shared/streams/chunk.hpp"
#include "shared/streams/control.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace vigil::sessions {

namespace asio = boost::asio;
using streams::Channel;
using vault::Secret;

namespace {

using StreamSocket = asio::local::stream_protocol::socket;
constexpr auto io_result = asio::as_tuple(asio::use_awaitable);

Error stream_broke() { return Error(Errc::unavailable, "the stream into the guest broke"); }

/// The stream's bytes, the first of which were read with the answer.
class Incoming {
public:
  Incoming(StreamSocket& socket, std::string& unread) : socket_(socket), unread_(unread) {}
  asio::awaitable<Result<void>> read(char* to, std::size_t size) {
    const auto ready = std::min(size, unread_.size() - at_);
    std::memcpy(to, unread_.data() + at_, ready);
    at_ += ready;
    if (ready == size) co_return Result<void>();
    auto got = co_await asio::async_read(socket_, asio::buffer(to + ready, size - ready), io_result);
    if (std::get<0>(got)) co_return stream_broke();
    co_return Result<void>();
  }

private:
  StreamSocket& socket_;
  std::string& unread_;
  std::size_t at_ = 0;
};

struct Header {
  Channel channel = Channel::data;
  std::size_t size = 0;
};

Result<Header> parse_header(const std::array<char, streams::chunk_header_bytes>& bytes) {
  Header header;
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
  if (byte(0) > 3) return Error(Errc::protocol, "the guest sends on a channel that there is not");
  header.channel = static_cast<Channel>(byte(0));
  header.size = byte(1) | byte(2) << 8 | byte(3) << 16 | byte(4) << 24;
  if (header.size > streams::max_chunk_bytes) return Error(Errc::limit, "the guest sends a chunk that is too long");
  return header;
}

/// The count of Done; nullopt for what may be passed over.
Result<std::optional<std::uint64_t>> count_in(const std::string& control) {
  const auto message = streams::decode_control(control);
  if (!message && message.error().code() != Errc::unsupported) return message.error();
  if (!message) return std::optional<std::uint64_t>();
  if (const auto* const problem = std::get_if<streams::Problem>(&*message)) return Error(problem->code, problem->detail);
  const auto* const done = std::get_if<streams::Done>(&*message);
  return done == nullptr ? std::nullopt : std::optional(done->bytes);
}

struct Received {
  explicit Received(std::size_t max) : secret(max) {}
  Secret secret;
  std::size_t size = 0;
  std::optional<std::uint64_t> told;
  bool is_over = false;
};

asio::awaitable<Result<void>> take_one_chunk(Incoming* incoming, Received* received) {
  std::array<char, streams::chunk_header_bytes> bytes{};
  auto got = co_await incoming->read(bytes.data(), bytes.size());
  if (!got) co_return got.error();
  CO_TRY(header, parse_header(bytes));
  if (header.channel == Channel::data) {
    const auto room = received->secret.writable().subspan(received->size);
    if (header.size > room.size()) co_return Error(Errc::limit, "the guest sends more than a credential may have");
    auto read = co_await incoming->read(room.data(), header.size);
    received->size += header.size;
    co_return read;
  }
  std::string other(header.size, '\0');
  auto read = co_await incoming->read(other.data(), other.size());
  if (!read || header.channel != Channel::control) co_return read;
  received->is_over = header.size == 0;
  if (received->is_over) co_return Result<void>();
  CO_TRY(count, count_in(other));
  if (count) received->told = count;
  co_return Result<void>();
}

asio::awaitable<Result<Secret>> receive_all(StreamSocket* socket, std::string* unread, std::size_t max) {
  Incoming incoming(*socket, *unread);
  Received received(max);
  while (!received.is_over) {
    auto taken = co_await take_one_chunk(&incoming, &received);
    if (!taken) co_return taken.error();
  }
  if (received.told != received.size) co_return Error(Errc::protocol, "the guest counts other bytes than it sent");
  received.secret.shrink(received.size);
  co_return std::move(received.secret);
}

}  // namespace

asio::awaitable<Result<Secret>> receive_credential(streams::GuestStream stream, std::size_t max) {
  auto executor = co_await asio::this_coro::executor;
  StreamSocket socket(executor);
  socket.assign(asio::local::stream_protocol(), stream.fd.release());
  auto received = co_await receive_all(&socket, &stream.unread, max);
  vault::cleanse(stream.unread);
  co_return std::move(received);
}

asio::awaitable<Result<void>> send_credential(streams::GuestStream stream, std::shared_ptr<const Secret> credential) {
  auto executor = co_await asio::this_coro::executor;
  StreamSocket socket(executor);
  socket.assign(asio::local::stream_protocol(), stream.fd.release());
  const auto bytes = credential->view();
  if (bytes.size() > streams::max_chunk_bytes) co_return Error(Errc::limit, "a credential of more than one chunk");
  std::array<char, streams::chunk_header_bytes> header{};
  for (std::size_t i = 0; i < 4; ++i) header[i + 1] = static_cast<char>(bytes.size() >> (8 * i) & 0xff);
  std::string end;
  streams::append_end(end, Channel::data);
  const std::array<asio::const_buffer, 3> parts{asio::buffer(header), asio::buffer(bytes.data(), bytes.size()), asio::buffer(end)};
  auto written = co_await asio::async_write(socket, parts, io_result);
  if (std::get<0>(written)) co_return stream_broke();
  Incoming incoming(socket, stream.unread);
  Received answer(streams::max_chunk_bytes);
  while (!answer.is_over && !answer.told) {
    auto taken = co_await take_one_chunk(&incoming, &answer);
    if (!taken) co_return taken.error();
  }
  if (answer.told != bytes.size()) co_return Error(Errc::protocol, "the guest did not acknowledge all of the file");
  co_return Result<void>();
}

}  // namespace vigil::sessions
