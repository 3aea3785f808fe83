#include "host/streams/guest_stream.hpp"

#include "host/async/deadline.hpp"
#include "shared/framing/frame.hpp"
#include "shared/protocol/control.hpp"
#include "shared/streams/opening.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>

namespace vigil::streams {

namespace asio = boost::asio;

namespace {

using Socket = asio::local::stream_protocol::socket;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t max_connect_answer = 64;

Error nobody_there() {
    return Error(Errc::unavailable, "the guest does not take streams: its agent is not up yet, or has gone (vigil timeline tells how far it is)");
}

/// "OK <port>\n" of the device; what follows it is the guest's.
asio::awaitable<Result<std::string>> connect_to_guest(Socket& socket) {
    const std::string order = "CONNECT " + std::to_string(protocol::streams_port) + "\n";
    auto written = co_await asio::async_write(socket, asio::buffer(order), as_result);
    if (std::get<0>(written)) co_return nobody_there();
    std::string answer;
    std::array<char, 4096> block{};
    while (answer.find('\n') == std::string::npos) {
        auto got = co_await socket.async_read_some(asio::buffer(block), as_result);
        if (std::get<0>(got)) co_return nobody_there();
        answer.append(block.data(), std::get<1>(got));
        const auto line = std::min(answer.find('\n'), answer.size());
        if (line > max_connect_answer) co_return Error(Errc::protocol, "the vsock device answers CONNECT with something else");
    }
    const auto end = answer.find('\n');
    if (!answer.starts_with("OK ")) co_return Error(Errc::unavailable, "the vsock device refuses: " + answer.substr(0, end));
    co_return answer.substr(end + 1);
}

asio::awaitable<Result<std::string>> read_answer(Socket& socket, framing::FrameReader& frames) {
    std::array<char, 16384> block{};
    for (;;) {
        CO_TRY(frame, frames.next());
        if (frame) co_return std::move(*frame);
        auto got = co_await socket.async_read_some(asio::buffer(block), as_result);
        if (std::get<0>(got)) co_return nobody_there();
        frames.feed({block.data(), std::get<1>(got)});
    }
}

asio::awaitable<Result<GuestStream>> open_without_deadline(std::string path, std::string opening_json, std::string first_chunks) {
    auto executor = co_await asio::this_coro::executor;
    Socket socket(executor);
    const asio::local::stream_protocol::endpoint endpoint(path);
    auto connected = co_await socket.async_connect(endpoint, as_result);
    if (std::get<0>(connected)) co_return nobody_there();
    auto first = co_await connect_to_guest(socket);
    if (!first) co_return first.error();
    const std::string opening = framing::make_frame(opening_json) + first_chunks;
    auto written = co_await asio::async_write(socket, asio::buffer(opening), as_result);
    if (std::get<0>(written)) co_return nobody_there();
    framing::FrameReader frames(max_answer_bytes);
    frames.feed(*first);
    auto answer = co_await read_answer(socket, frames);
    if (!answer) co_return answer.error();
    CO_TRY(facts, decode_answer(*answer));
    GuestStream stream;
    stream.facts_json = std::move(facts);
    stream.unread = frames.take_rest();
    stream.fd.reset(socket.release());
    co_return std::move(stream);
}

}  // namespace

asio::awaitable<Result<GuestStream>> open_guest_stream(std::string vsock_path, std::string opening_json, std::chrono::milliseconds deadline, std::string first_chunks) {
    auto work = open_without_deadline(std::move(vsock_path), std::move(opening_json), std::move(first_chunks));
    auto opened = co_await async::with_deadline(std::move(work), deadline, "open a stream into the guest");
    co_return std::move(opened);
}

}  // namespace vigil::streams
