// Streams into guests that behave and guests that do not, behind a vsock device that is a Unix socket in a thread.
#include "host/streams/chunk_feed.hpp"
#include "host/streams/guest_stream.hpp"
#include "host/streams/relay.hpp"
#include "host/streams/run_program.hpp"
#include "shared/framing/frame.hpp"
#include "shared/streams/chunk.hpp"
#include "shared/streams/control.hpp"
#include "shared/streams/opening.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <boost/asio/co_spawn.hpp>

#include <catch2/catch_test_macros.hpp>

#include <memory>
#include <optional>
#include <thread>

namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace vigil::streams {

using vigil::test::pump_until;

namespace {

/// What the device does with its one connection after CONNECT and the opening came (or at once, when it does not wait for them).
class Device {
  public:
    enum class Waits { for_nothing, for_opening };
    enum class Ends { by_closing, when_host_closes };

    Device(Waits waits, std::string says, Ends ends) {
        path = (directory_.path() / "vsock").string();
        listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
        REQUIRE(::listen(listener_.get(), 1) == 0);
        thread_ = std::thread([this, waits, says = std::move(says), ends] { serve(waits, says, ends); });
    }
    ~Device() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
    }
    std::string path, heard;

  private:
    void serve(Waits waits, const std::string& says, Ends ends) {
        const UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!peer) return;
        char block[65536];
        if (waits == Waits::for_opening) {
            while (heard.find('\n') == std::string::npos) {
                const ssize_t count = ::recv(peer.get(), block, sizeof(block), 0);
                if (count <= 0) return;
                heard.append(block, static_cast<std::size_t>(count));
            }
            (void)::send(peer.get(), "OK 5253\n", 8, MSG_NOSIGNAL);
            const auto length_of = [&] { return heard.find('\n') + 1 + 4; };
            while (heard.size() < length_of() + 1) {
                const ssize_t count = ::recv(peer.get(), block, sizeof(block), 0);
                if (count <= 0) return;
                heard.append(block, static_cast<std::size_t>(count));
            }
        }
        (void)::send(peer.get(), says.data(), says.size(), MSG_NOSIGNAL);
        if (ends == Ends::by_closing) return;
        for (ssize_t count = 0; (count = ::recv(peer.get(), block, sizeof(block), 0)) > 0;) heard.append(block, static_cast<std::size_t>(count));
    }

    test::TemporaryDirectory directory_;
    UniqueFd listener_;
    std::thread thread_;
};

std::string accepted(const std::string& facts = "{}") { return framing::make_frame(encode_answer(facts)); }

asio::awaitable<void> keep_result(asio::awaitable<Result<GuestStream>> opening, std::optional<Result<GuestStream>>& result) {
    result = co_await std::move(opening);
}

Result<GuestStream> open_to(asio::io_context& io, const std::string& path, std::chrono::milliseconds deadline = 20s, const std::string& first = {}) {
    std::optional<Result<GuestStream>> result;
    asio::co_spawn(io, keep_result(open_guest_stream([path] { return dial_directly(path); }, encode(Opening(TcpOpening{80})), deadline, first), result), [](std::exception_ptr) {});
    REQUIRE(pump_until(io, [&] { return result.has_value(); }));
    return std::move(*result);
}

}  // namespace

TEST_CASE("guest stream: CONNECT in one line, the opening, the answer, and what came with it", "[host][streams]") {
    Device device(Device::Waits::for_opening, accepted(R"({"pid":7})") + "first bytes", Device::Ends::when_host_closes);
    asio::io_context io;
    auto stream = open_to(io, device.path);
    REQUIRE(stream.has_value());
    CHECK(stream->facts_json == R"({"pid":7})");
    CHECK(device.heard.starts_with("CONNECT 5253\n"));
}

TEST_CASE("guest stream: what is to go first goes with the opening, before the guest has answered", "[host][streams]") {
    Device device(Device::Waits::for_opening, accepted(), Device::Ends::when_host_closes);
    asio::io_context io;
    REQUIRE(open_to(io, device.path, 20s, "first chunks").has_value());
    CHECK(device.heard.ends_with("first chunks"));
}

TEST_CASE("guest stream: a refusal comes with the guest's code and words", "[host][streams]") {
    Device device(Device::Waits::for_opening, framing::make_frame(encode_answer(Error(Errc::not_found, "no such program"))), Device::Ends::when_host_closes);
    asio::io_context io;
    const auto stream = open_to(io, device.path);
    CHECK(stream.error().code() == Errc::not_found);
    CHECK(stream.error().message() == "no such program");
}

TEST_CASE("guest stream: nobody there, and guests that break off or talk nonsense", "[host][streams]") {
    asio::io_context io;
    CHECK(open_to(io, "/nonexistent/vsock").error().code() == Errc::unavailable);
    const std::tuple<Device::Waits, std::string, Device::Ends, Errc> cases[] = {
        {Device::Waits::for_nothing, "", Device::Ends::by_closing, Errc::unavailable},
        {Device::Waits::for_nothing, "OK 52", Device::Ends::by_closing, Errc::unavailable},
        {Device::Waits::for_nothing, "NO\n", Device::Ends::when_host_closes, Errc::unavailable},
        {Device::Waits::for_nothing, std::string(100'000, 'x'), Device::Ends::when_host_closes, Errc::protocol},
        {Device::Waits::for_opening, "", Device::Ends::by_closing, Errc::unavailable},
        {Device::Waits::for_opening, std::string("\xff\xff\xff\xff", 4), Device::Ends::when_host_closes, Errc::limit},
        {Device::Waits::for_opening, framing::make_frame("not json"), Device::Ends::when_host_closes, Errc::invalid},
        {Device::Waits::for_opening, framing::make_frame("{}"), Device::Ends::when_host_closes, Errc::invalid}};
    for (const auto& [waits, says, ends, code] : cases) {
        Device device(waits, says, ends);
        const auto stream = open_to(io, device.path);
        REQUIRE(stream.has_error());
        CHECK(stream.error().code() == code);
    }
}

TEST_CASE("guest stream: a guest that never answers is given up", "[host][streams]") {
    Device device(Device::Waits::for_opening, "", Device::Ends::when_host_closes);
    asio::io_context io;
    CHECK(open_to(io, device.path, 50ms).error().code() == Errc::timeout);
}

TEST_CASE("relay: the client sees the answer, then both sides' bytes, and the end of either ends it", "[host][streams]") {
    asio::io_context io;
    Relays relays(io.get_executor());
    const auto pair = [] {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
        return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
    };
    auto [client, client_end] = pair();
    auto [guest, guest_end] = pair();
    GuestStream stream{std::move(guest_end), R"({"pid":7})", "from the guest, early; "};
    const auto leash = std::make_shared<async::Leash>();
    relays.join(std::move(client_end), "from the client, early; ", std::move(stream), leash);
    REQUIRE(::send(client.get(), "later", 5, 0) == 5);
    REQUIRE(::send(guest.get(), "later too", 9, 0) == 9);
    std::string at_client, at_guest;
    const auto read = [](int fd, std::string& into) {
        char block[4096];
        const ssize_t count = ::recv(fd, block, sizeof(block), MSG_DONTWAIT);
        if (count > 0) into.append(block, static_cast<std::size_t>(count));
        return count;
    };
    const auto answer = accepted(R"({"pid":7})");
    CHECK(pump_until(io, [&] { return read(client.get(), at_client), at_client == answer + "from the guest, early; later too"; }));
    CHECK(pump_until(io, [&] { return read(guest.get(), at_guest), at_guest == "from the client, early; later"; }));
    SECTION("the guest closes: what it said last still comes") {
        REQUIRE(::send(guest.get(), "bye", 3, 0) == 3);
        guest.reset();
        ssize_t count = -1;
        CHECK(pump_until(io, [&] { return (count = read(client.get(), at_client)) == 0; }));
        CHECK(at_client.ends_with("bye"));
    }
    SECTION("the client closes") {
        client.reset();
        CHECK(pump_until(io, [&] { return read(guest.get(), at_guest) == 0; }));
    }
    SECTION("the leash is cut: both see their end") {
        CHECK(leash->goes_on());
        leash->cut();
        CHECK(pump_until(io, [&] { return read(client.get(), at_client) == 0; }));
        CHECK(pump_until(io, [&] { return read(guest.get(), at_guest) == 0; }));
    }
    CHECK(pump_until(io, [&] { return relays.size() == 0; }));
    CHECK_FALSE(leash->goes_on());
}

TEST_CASE("run: output by channel, bounded, with the exit status; without one it is an error", "[host][streams]") {
    asio::io_context io;
    Relays relays(io.get_executor());
    std::string says = accepted();
    append_chunks(says, Channel::out, "0123456789");
    append_chunks(says, Channel::err, "oh");
    const auto with_exit = [&] {
        auto text = says;
        append_chunks(text, Channel::control, encode(Control(Exit{protocol::ExitCode{3}})));
        append_end(text, Channel::control);
        return text;
    };
    const auto run = [&](const std::string& text, Device::Ends ends) {
        Device device(Device::Waits::for_opening, text, ends);
        auto stream = open_to(io, device.path);
        REQUIRE(stream.has_value());
        std::optional<Result<ProgramResult>> result;
        relays.run(std::move(*stream), "input", {20s, 4}, [&](Result<ProgramResult> done) { result = std::move(done); });
        REQUIRE(pump_until(io, [&] { return result.has_value(); }));
        return std::move(*result);
    };
    const auto whole = run(with_exit(), Device::Ends::when_host_closes);
    REQUIRE(whole.has_value());
    CHECK(whole->out == "0123");
    CHECK(whole->out_lost == 6);
    CHECK(whole->err == "oh");
    CHECK(whole->exit == protocol::ExitStatus(protocol::ExitCode{3}));
    CHECK(run(says, Device::Ends::by_closing).error().code() == Errc::unavailable);
    auto ended = says;
    append_end(ended, Channel::control);
    CHECK(run(ended, Device::Ends::when_host_closes).error().code() == Errc::protocol);
    CHECK(pump_until(io, [&] { return relays.size() == 0; }));
}

TEST_CASE("chunk feed: chunks as they come, the guest held back until they are taken, and a stream that breaks", "[host][streams]") {
    asio::io_context io;
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    UniqueFd guest(ends[0]);
    std::string early;
    append_chunks(early, Channel::out, "early");
    ChunkFeed feed(io.get_executor(), GuestStream{UniqueFd(ends[1]), "{}", early});
    int woken = 0;
    feed.on_more([&] { ++woken; });
    auto first = feed.take();
    REQUIRE(first.has_value());
    CHECK(first->chunks == std::vector<Chunk>{{Channel::out, "early"}});
    CHECK_FALSE(first->over);
    const auto says = [&](const std::string& bytes) { REQUIRE(::send(guest.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())); };
    std::string later;
    append_chunks(later, Channel::err, "later");
    says(later.substr(0, 3));
    says(later.substr(3));
    CHECK(pump_until(io, [&] { return woken == 1; }));
    CHECK(feed.take()->chunks == std::vector<Chunk>{{Channel::err, "later"}});
    SECTION("to its last word") {
        std::string end;
        append_end(end, Channel::control);
        says(end);
        CHECK(pump_until(io, [&] { return woken == 2; }));
        CHECK(feed.take()->over);
    }
    SECTION("or not: what came before is still taken") {
        says(later);
        CHECK(pump_until(io, [&] { return woken == 2; }));
        guest.reset();
        CHECK(feed.take()->chunks.size() == 1);
        CHECK(pump_until(io, [&] { return woken == 3; }));
        CHECK(feed.take().error().code() == Errc::unavailable);
    }
    SECTION("and a guest that reads no input holds back nothing") {
        const std::string input(8 * 1024 * 1024, 'i');   // more than the socket holds
        int more[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, more) == 0);
        UniqueFd other(more[0]);
        ChunkFeed fed(io.get_executor(), GuestStream{UniqueFd(more[1]), "{}", early}, input);
        CHECK(fed.take()->chunks.size() == 1);
        std::string got, block(64 * 1024, '\0');
        CHECK(pump_until(io, [&] {
            for (ssize_t count; (count = ::recv(other.get(), block.data(), block.size(), MSG_DONTWAIT)) > 0;) got.append(block, 0, static_cast<std::size_t>(count));
            return got.size() == input.size();
        }));
        CHECK(got == input);
    }
    SECTION("a chunk of no channel is beyond repair") {
        says(std::string("\x09\x01\x00\x00\x00x", 6));
        CHECK(pump_until(io, [&] { return woken == 2; }));
        CHECK(feed.take().error().code() == Errc::protocol);
    }
}

}  // namespace vigil::streams
