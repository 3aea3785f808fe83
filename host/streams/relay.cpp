#include "host/streams/relay.hpp"

#include "shared/framing/frame.hpp"
#include "shared/streams/opening.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <memory>
#include <vector>

namespace vigil::streams {

namespace asio = boost::asio;

namespace {

using Socket = asio::local::stream_protocol::socket;
constexpr auto io_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t block_bytes = 128 * 1024;

struct Ends {
    Ends(asio::any_io_executor executor, UniqueFd client_fd, UniqueFd guest_fd) : client(executor), guest(executor) {
        client.assign(asio::local::stream_protocol(), client_fd.release());
        guest.assign(asio::local::stream_protocol(), guest_fd.release());
    }
    Socket client, guest;
    std::string for_guest, for_client;   // what was read before
    std::shared_ptr<const void> in_use;
    std::shared_ptr<async::Leash> leash;
};

/// What is waited for on them ends with an error.
void close_both(Ends& ends) {
    boost::system::error_code ignored;
    ends.client.close(ignored);
    ends.guest.close(ignored);
}

/// Ends when `from` has ended or `to` takes nothing more.
asio::awaitable<void> carry(Socket& from, Socket& to, std::string first) {
    if (!first.empty()) {
        auto written = co_await asio::async_write(to, asio::buffer(first), io_result);
        if (std::get<0>(written)) co_return;
    }
    std::vector<char> block(block_bytes);
    for (;;) {
        auto got = co_await from.async_read_some(asio::buffer(block), io_result);
        if (std::get<0>(got)) co_return;
        auto written = co_await asio::async_write(to, asio::buffer(block.data(), std::get<1>(got)), io_result);
        if (std::get<0>(written)) co_return;
    }
}

asio::awaitable<void> relay(std::shared_ptr<Ends> ends) {
    auto executor = co_await asio::this_coro::executor;
    auto up = carry(ends->client, ends->guest, std::move(ends->for_guest));
    auto down = carry(ends->guest, ends->client, std::move(ends->for_client));
    auto both = asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(up), asio::deferred),
                                                        asio::co_spawn(executor, std::move(down), asio::deferred));
    co_await both.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    if (ends->leash) ends->leash->forget();
}

asio::awaitable<void> run_and_tell(std::shared_ptr<GuestStream> guest, std::string input, ProgramLimits limits, std::function<void(Result<ProgramResult>)> done) {
    auto running = run_program(std::move(*guest), std::move(input), limits);
    auto result = co_await std::move(running);
    done(std::move(result));
}

}  // namespace

void Relays::join(UniqueFd client, std::string client_sent, GuestStream guest, const std::shared_ptr<async::Leash>& leash) {
    auto ends = std::make_shared<Ends>(tasks_.executor(), std::move(client), std::move(guest.fd));
    ends->for_guest = std::move(client_sent);
    ends->in_use = std::move(guest.in_use);
    // The client reads the guest's answer first, as if it had asked the guest itself.
    ends->for_client = framing::make_frame(encode_answer(guest.facts_json)) + guest.unread;
    ends->leash = leash;
    if (leash) leash->on_cut([weak = std::weak_ptr<Ends>(ends)] {
        if (const auto alive = weak.lock()) close_both(*alive);
    });
    tasks_.spawn("stream.relay", [ends] { return relay(ends); });
}

void Relays::run(GuestStream guest, std::string input, ProgramLimits limits, std::function<void(Result<ProgramResult>)> done) {
    auto shared = std::make_shared<GuestStream>(std::move(guest));   // std::function wants a copyable lambda
    tasks_.spawn("stream.run", [shared, input = std::move(input), limits, done = std::move(done)] { return run_and_tell(shared, input, limits, done); });
}

asio::awaitable<void> Relays::stop() { co_await tasks_.stop(); }

}  // namespace vigil::streams
