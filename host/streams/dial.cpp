#include "host/streams/dial.hpp"

#include "shared/protocol/control.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>

namespace vigil::streams {

namespace asio = boost::asio;

namespace {

using Socket = asio::local::stream_protocol::socket;
constexpr auto dial_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t max_connect_answer = 64;

/// "OK <port>\n" of the device; what follows it is the guest's.
asio::awaitable<Result<std::string>> connect_to_guest(Socket& socket) {
  const std::string order = "CONNECT " + std::to_string(protocol::streams_port) + "\n";
  auto written = co_await asio::async_write(socket, asio::buffer(order), dial_result);
  if (std::get<0>(written)) co_return nobody_there();
  std::string answer;
  std::array<char, 4096> block{};
  while (answer.find('\n') == std::string::npos) {
    auto got = co_await socket.async_read_some(asio::buffer(block), dial_result);
    if (std::get<0>(got)) co_return nobody_there();
    answer.append(block.data(), std::get<1>(got));
    const auto line = std::min(answer.find('\n'), answer.size());
    if (line > max_connect_answer) co_return Error(Errc::protocol, "the vsock device answers CONNECT with something else");
  }
  const auto end = answer.find('\n');
  if (!answer.starts_with("OK ")) co_return Error(Errc::unavailable, "the vsock device refuses: " + answer.substr(0, end));
  co_return answer.substr(end + 1);
}

}  // namespace

Error nobody_there() {
  return Error(Errc::unavailable,
               "the guest does not take streams: its agent is not up yet, or has gone (vigil timeline tells how far it is)");
}

asio::awaitable<Result<Dialled>> dial_directly(std::string vsock_path) {
  auto executor = co_await asio::this_coro::executor;
  Socket socket(executor);
  const asio::local::stream_protocol::endpoint endpoint(vsock_path);
  auto connected = co_await socket.async_connect(endpoint, dial_result);
  if (std::get<0>(connected)) co_return nobody_there();
  auto first = co_await connect_to_guest(socket);
  if (!first) co_return first.error();
  co_return Dialled{UniqueFd(socket.release()), std::move(*first)};
}

}  // namespace vigil::streams
