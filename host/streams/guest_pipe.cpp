#include "host/streams/guest_pipe.hpp"

#include "shared/streams/control.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>

namespace vigil::streams {

namespace asio = boost::asio;
namespace {
constexpr auto pipe_result = asio::as_tuple(asio::use_awaitable);
}

GuestPipe::GuestPipe(asio::any_io_executor executor, GuestStream stream) : socket_(executor), block_(pipe_block_bytes) {
    socket_.assign(asio::generic::stream_protocol(AF_UNIX, 0), stream.fd.release());
    chunks_.feed(stream.unread);
    in_use_ = std::move(stream.in_use);
}

asio::awaitable<Result<std::string>> GuestPipe::read() {
    while (!ended_) {
        CO_TRY(chunk, chunks_.next());
        if (chunk && chunk->channel == Channel::data) {
            ended_ = chunk->is_end();
            co_return std::move(chunk->bytes);
        }
        if (chunk) {
            CO_TRY_VOID(taken, take_control(*chunk));
            continue;
        }
        auto got = co_await socket_.async_read_some(asio::buffer(block_), pipe_result);
        if (std::get<0>(got)) co_return Error(Errc::unavailable, "the stream into the guest broke");
        chunks_.feed({block_.data(), std::get<1>(got)});
    }
    co_return std::string();
}

Result<void> GuestPipe::take_control(const Chunk& chunk) {
    if (chunk.channel != Channel::control) return {};
    if (chunk.is_end()) {
        ended_ = over_ = true;
        return {};
    }
    const auto message = decode_control(chunk.bytes);
    if (!message) return message.error().code() == Errc::unsupported ? Result<void>() : message.error();
    if (const auto* const problem = std::get_if<Problem>(&*message)) return Error(problem->code, problem->detail);
    return {};
}

asio::awaitable<void> GuestPipe::last_word() {
    while (!over_) {
        const auto chunk = chunks_.next();
        if (!chunk) co_return;
        if (*chunk) {
            over_ = (*chunk)->channel == Channel::control && (*chunk)->is_end();
            continue;
        }
        auto got = co_await socket_.async_read_some(asio::buffer(block_), pipe_result);
        if (std::get<0>(got)) co_return;
        chunks_.feed({block_.data(), std::get<1>(got)});
    }
}

asio::awaitable<Result<void>> GuestPipe::write(std::string bytes) {
    std::string chunks;
    chunks.reserve(bytes.size() + 64);
    append_chunks(chunks, Channel::data, bytes);
    auto sent = co_await send(std::move(chunks));
    co_return sent;
}

asio::awaitable<Result<void>> GuestPipe::end() {
    std::string chunk;
    append_end(chunk, Channel::data);
    auto sent = co_await send(std::move(chunk));
    co_return sent;
}

asio::awaitable<Result<void>> GuestPipe::send(std::string chunks) {
    auto written = co_await asio::async_write(socket_, asio::buffer(chunks), pipe_result);
    if (std::get<0>(written)) co_return Error(Errc::unavailable, "the stream into the guest broke");
    co_return Result<void>();
}

void GuestPipe::close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
}

}  // namespace vigil::streams
