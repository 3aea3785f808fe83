#include "host/streams/run_program.hpp"

#include "host/async/deadline.hpp"
#include "shared/streams/chunk.hpp"
#include "shared/streams/control.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <optional>
#include <vector>

namespace vigil::streams {

namespace asio = boost::asio;

namespace {

using StreamSocket = asio::local::stream_protocol::socket;
constexpr auto result_of = asio::as_tuple(asio::use_awaitable);

void keep(std::string& kept, std::uint64_t& lost, std::string_view bytes, std::size_t max) {
    const auto part = bytes.substr(0, max - std::min(max, kept.size()));
    kept += part;
    lost += bytes.size() - part.size();
}

/// True: that was the last chunk.
Result<bool> take_chunk(ProgramResult& result, std::optional<protocol::ExitStatus>& exit, const Chunk& chunk, std::size_t max) {
    if (chunk.channel == Channel::out) keep(result.out, result.out_lost, chunk.bytes, max);
    if (chunk.channel == Channel::err) keep(result.err, result.err_lost, chunk.bytes, max);
    if (chunk.channel != Channel::control) return false;
    if (chunk.is_end()) return true;
    const auto message = decode_control(chunk.bytes);
    if (!message) return message.error().code() == Errc::unsupported ? Result<bool>(false) : Result<bool>(message.error());
    if (const auto* const ended = std::get_if<Exit>(&*message)) exit = ended->status;
    if (const auto* const problem = std::get_if<Problem>(&*message)) return Error(problem->code, problem->detail);
    return false;
}

asio::awaitable<Result<ProgramResult>> collect(GuestStream stream, std::string input, std::size_t max_output) {
    auto executor = co_await asio::this_coro::executor;
    StreamSocket socket(executor);
    socket.assign(asio::local::stream_protocol(), stream.fd.release());
    std::string sent;
    append_chunks(sent, Channel::data, input);
    append_end(sent, Channel::data);
    auto written = co_await asio::async_write(socket, asio::buffer(sent), result_of);
    if (std::get<0>(written)) co_return Error(Errc::unavailable, "the guest broke the stream");
    ChunkReader chunks;
    chunks.feed(stream.unread);
    ProgramResult result;
    std::optional<protocol::ExitStatus> exit;
    std::vector<char> block(64 * 1024);
    for (;;) {
        CO_TRY(chunk, chunks.next());
        if (chunk) {
            CO_TRY(last, take_chunk(result, exit, *chunk, max_output));
            if (!last) continue;
            if (!exit) co_return Error(Errc::protocol, "the guest ended the stream without an exit status");
            result.exit = *exit;
            co_return std::move(result);
        }
        auto got = co_await socket.async_read_some(asio::buffer(block), result_of);
        if (std::get<0>(got)) co_return Error(Errc::unavailable, "the stream broke before the program had ended");
        chunks.feed({block.data(), std::get<1>(got)});
    }
}

}  // namespace

asio::awaitable<Result<ProgramResult>> run_program(GuestStream stream, std::string input, ProgramLimits limits) {
    auto work = collect(std::move(stream), std::move(input), limits.max_output);
    auto result = co_await async::with_deadline(std::move(work), limits.deadline, "run a program in the guest");
    co_return std::move(result);
}

}  // namespace vigil::streams
