#include "host/streams/guest_stream.hpp"

#include "host/async/deadline.hpp"
#include "shared/framing/frame.hpp"
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

asio::awaitable<Result<GuestStream>> open_without_deadline(Dial dial, std::string opening_json, std::string first_chunks) {
    auto executor = co_await asio::this_coro::executor;
    auto dialling = dial();
    auto dialled = co_await std::move(dialling);
    if (!dialled) co_return dialled.error();
    Socket socket(executor, asio::local::stream_protocol(), dialled->fd.release());
    const std::string opening = framing::make_frame(opening_json) + first_chunks;
    auto written = co_await asio::async_write(socket, asio::buffer(opening), as_result);
    if (std::get<0>(written)) co_return nobody_there();
    framing::FrameReader frames(max_answer_bytes);
    frames.feed(dialled->unread);
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

asio::awaitable<Result<GuestStream>> open_guest_stream(Dial dial, std::string opening_json, std::chrono::milliseconds deadline, std::string first_chunks) {
    auto work = open_without_deadline(std::move(dial), std::move(opening_json), std::move(first_chunks));
    auto opened = co_await async::with_deadline(std::move(work), deadline, "open a stream into the guest");
    co_return std::move(opened);
}

}  // namespace vigil::streams
