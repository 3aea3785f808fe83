#include "host/streams/raw_relay.hpp"

#include "host/async/watchdog.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <utility>
#include <vector>

namespace vigil::streams {

namespace asio = boost::asio;

namespace {

constexpr auto raw_result = asio::as_tuple(asio::use_awaitable);

class RunningRelay {
  public:
    RunningRelay(asio::any_io_executor executor, RawRelay relay) : relay_(std::move(relay)), watchdog_(executor) {}

    asio::awaitable<void> run() {
        auto executor = co_await asio::this_coro::executor;
        auto both = both_ways();
        auto late = watchdog_.passed();
        auto race = asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(both), asio::deferred),
                                                            asio::co_spawn(executor, std::move(late), asio::deferred));
        co_await race.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    }

  private:
    asio::awaitable<void> both_ways() {
        auto executor = co_await asio::this_coro::executor;
        auto in = carry_in();
        auto out = carry_out();
        auto both = asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(in), asio::deferred),
                                                            asio::co_spawn(executor, std::move(out), asio::deferred));
        co_await both.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
        if (in_ended_ && out_ended_) co_await relay_.guest->last_word();
    }

    asio::awaitable<void> carry_in() {
        std::vector<char> block(pipe_block_bytes);
        std::string bytes = std::exchange(relay_.for_guest, {});
        for (;;) {
            if (bytes.empty()) {
                auto got = co_await relay_.socket->async_read_some(asio::buffer(block), raw_result);
                if (std::get<0>(got) == asio::error::eof) break;
                if (std::get<0>(got)) co_return give_up();
                bytes.assign(block.data(), std::get<1>(got));
            }
            if (!look(relay_.to_guest, bytes)) co_return give_up();
            if (out_ended_) watchdog_.expect(async::Side::client, relay_.linger);   // it goes on: not yet
            auto written = co_await relay_.guest->write(std::move(bytes));
            bytes.clear();
            if (!written) co_return give_up();
        }
        auto ended = co_await relay_.guest->end();
        if (!ended) co_return give_up();
        in_ended_ = true;
        watchdog_.expect(async::Side::guest, relay_.linger);
    }

    asio::awaitable<void> carry_out() {
        std::string bytes = std::exchange(relay_.for_socket, {});
        for (;;) {
            if (bytes.empty()) {
                auto got = co_await relay_.guest->read();
                if (!got) co_return give_up();
                if (got->empty()) break;
                bytes = std::move(*got);
            }
            if (!look(relay_.from_guest, bytes)) co_return give_up();
            if (in_ended_) watchdog_.expect(async::Side::guest, relay_.linger);
            auto written = co_await asio::async_write(*relay_.socket, asio::buffer(bytes), raw_result);
            if (std::get<0>(written)) co_return give_up();
            bytes.clear();
        }
        boost::system::error_code ignored;
        relay_.socket->shutdown(StreamSocket::shutdown_send, ignored);
        out_ended_ = true;
        watchdog_.expect(async::Side::client, relay_.linger);
    }

    static bool look(const RawRelay::Look& look, std::string& bytes) {
        if (!look) return true;
        const auto part = look(bytes);
        if (part) bytes.resize(*part);
        return part.has_value();
    }

    /// The other direction ends, too.
    void give_up() {
        boost::system::error_code ignored;
        relay_.socket->close(ignored);
        relay_.guest->close();
    }

    RawRelay relay_;
    async::Watchdog watchdog_;
    bool in_ended_ = false, out_ended_ = false;
};

}  // namespace

asio::awaitable<void> relay_raw(RawRelay relay) {
    RunningRelay running(co_await asio::this_coro::executor, std::move(relay));
    co_await running.run();
}

}  // namespace vigil::streams
