// The link over a real Unix socket with real frames, against guests that behave and guests that do not.
#include "host/guest_link/guest_link.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <boost/asio/co_spawn.hpp>

#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>

#include <memory>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace vigil::guest_link {

using vigil::test::pump_until;
using vigil::test::UnixClient;

namespace {

const BootId boot("11111111-2222-3333-4444-555555555555");
const BootId other_boot("99999999-2222-3333-4444-555555555555");

/// Keeps what the link tells, in the order in which it does.
class RecordingOwner final : public LinkOwner {
  public:
    protocol::GuestConfig guest_config() override { return config; }
    TokenCheck check_token(const BootId& of, const std::string& token) override {
        const auto found = tokens.find(of);
        if (found == tokens.end()) return TokenCheck::none_recorded;
        return found->second == token ? TokenCheck::fits : TokenCheck::differs;
    }
    Result<void> remember_token(const BootId& of, const std::string& token) override {
        tokens[of] = token;
        return {};
    }
    Seq acknowledged(const BootId&, Epoch) override { return committed; }
    void link_up(const BootId&, Epoch, const protocol::Hello& hello) override { told.push_back("up " + hello.phase); }
    void link_lost(const SessionEnd& end) override { told.push_back("lost " + (end.cause ? end.cause->text : end.reason)); }
    void link_refused(const std::string& reason) override { told.push_back("refused " + reason); }
    void reported(protocol::Report report) override { reports.push_back(std::move(report)); }
    void clock_synced(ClockSample sample) override { clocks.push_back(sample); }
    void link_quiet() override { told.push_back("quiet"); }

    bool was_told(const std::string& text) const {
        for (const auto& line : told)
            if (line.find(text) == 0) return true;
        return false;
    }

    protocol::GuestConfig config;
    std::map<BootId, std::string> tokens;
    Seq committed = 0;
    std::vector<std::string> told;
    std::vector<protocol::Report> reports;
    std::vector<ClockSample> clocks;
};

struct Fixture {
    vigil::test::TemporaryDirectory directory;
    asio::io_context io;
    SystemClock clock;
    RecordingOwner owner;
    std::string path = (directory.path() / "vsock_5252").string();
    std::unique_ptr<GuestLink> link;

    explicit Fixture(SessionLimits limits = {}) {
        link = std::make_unique<GuestLink>(io, LinkOptions{path, "digest", "id", std::nullopt, limits}, owner, clock);
        REQUIRE(link->listen().has_value());
    }
    ~Fixture() {
        bool stopped = false;
        asio::co_spawn(io, link->stop(), [&](std::exception_ptr) { stopped = true; });
        CHECK(pump_until(io, [&] { return stopped; }));
    }
    bool becomes(const std::function<bool()>& holds) { return pump_until(io, holds); }
};

/// A guest's agent, as far as the wire goes.
class Guest {
  public:
    Guest(Fixture& fixture, BootId of = boot) : fixture_(fixture), client_(fixture.path), boot_(std::move(of)) {}

    void say(decltype(protocol::Message::content) content) {
        CHECK(client_.send(framing::make_frame(protocol::encode(protocol::Message{boot_, 0, std::move(content)}))));
    }
    void hello(std::string token = "", std::string phase = "initrd") {
        protocol::Hello hello;
        hello.protocols = {1};
        hello.agent_version = "0.1";
        hello.image_digest = "digest";
        hello.phase = std::move(phase);
        hello.token = std::move(token);
        say(hello);
    }
    std::string report_frame(Seq seq) const {
        protocol::ServiceReport body;
        body.name = ServiceName("web");
        return framing::make_frame(protocol::encode(protocol::Message{boot_, 0, protocol::Report{boot_, 0, seq, 1, body}}));
    }
    void report(Seq seq) { CHECK(client_.send(report_frame(seq))); }
    /// The next message of that kind; others are passed over.
    template <class Kind>
    Kind expect() {
        std::optional<Kind> found;
        REQUIRE(fixture_.becomes([&] {
            while (!found) {
                reader_.feed(client_.received());
                client_.clear();
                const auto frame = reader_.next();
                REQUIRE(frame.has_value());
                if (!*frame) return false;
                const auto message = protocol::decode(**frame);
                REQUIRE(message.has_value());
                if (const auto* kind = std::get_if<Kind>(&message->content)) found = *kind;
            }
            return true;
        }));
        return *found;
    }
    /// Hello, welcome, and the pong that shows that the token has arrived.
    std::string join(std::string token = "") {
        hello(std::move(token));
        const auto welcome = expect<protocol::Welcome>();
        pong();
        return welcome.token;
    }
    void pong() {
        const auto ping = expect<protocol::Ping>();
        say(protocol::Pong{ping.n, ping.sender_us, 42});
        CHECK(fixture_.becomes([&] { return !fixture_.owner.clocks.empty(); }));
    }
    bool is_closed() {
        return fixture_.becomes([&] { return client_.closed(); });
    }
    UnixClient& raw() { return client_; }

  private:
    Fixture& fixture_;
    UnixClient client_;
    BootId boot_;
    framing::FrameReader reader_;
};

}  // namespace

TEST_CASE("link: who arrived elsewhere and is handed over is judged like who dialled", "[host][link]") {
    Fixture fixture;
    const auto handed_over = [&fixture](const std::string& bytes) {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
        UniqueFd guest(ends[0]);
        REQUIRE(::send(guest.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
        fixture.link->admit(UniqueFd(ends[1]));
        return guest;
    };
    protocol::Hello hello;
    hello.protocols = {1};
    hello.image_digest = "digest";
    hello.phase = "initrd";
    const auto frame = framing::make_frame(protocol::encode(protocol::Message{boot, 0, hello}));
    const auto agent = handed_over(frame);
    CHECK(fixture.becomes([&] { return fixture.link->is_up(); }));
    fixture.owner.tokens[boot] = "bound";
    const auto stranger = handed_over(frame);
    CHECK(fixture.becomes([&] { return !fixture.owner.told.empty() && fixture.owner.told.back().find("without the token") != std::string::npos; }));
    CHECK(fixture.link->is_up());
}

TEST_CASE("link: hello, welcome with configuration and token, ping at once, clock offset", "[host][guest_link]") {
    Fixture fixture;
    fixture.owner.config.hostname = "demo";
    Guest guest(fixture);
    guest.hello();
    const auto welcome = guest.expect<protocol::Welcome>();
    CHECK(welcome.config.hostname == "demo");
    CHECK(welcome.token.size() == 64);
    CHECK(fixture.owner.tokens.empty());  // binds only when the guest has shown that it has it
    guest.pong();
    CHECK(fixture.owner.tokens.at(boot) == welcome.token);
    REQUIRE(fixture.owner.clocks.size() == 1);
    const auto host_now = static_cast<std::int64_t>(fixture.clock.mono_us());
    CHECK(std::abs(host_now - 42 - fixture.owner.clocks.front().offset_us) < 60'000'000);
    CHECK(fixture.owner.told == std::vector<std::string>{"up initrd"});
}

TEST_CASE("link: reports reach the owner, an ack goes out only when it says so", "[host][guest_link]") {
    Fixture fixture;
    Guest guest(fixture);
    guest.join();
    guest.report(1);
    guest.report(2);
    REQUIRE(fixture.becomes([&] { return fixture.owner.reports.size() == 2; }));
    CHECK(fixture.owner.reports[1].seq == 2);
    fixture.link->acknowledge(boot, 0, 2);
    CHECK(guest.expect<protocol::Ack>().seq == 2);
}

TEST_CASE("link: a new link is told at once what is committed already", "[host][guest_link]") {
    Fixture fixture;
    fixture.owner.committed = 17;
    Guest guest(fixture);
    guest.hello();
    CHECK(guest.expect<protocol::Ack>().seq == 17);
}

TEST_CASE("link: the token rule", "[host][guest_link]") {
    Fixture fixture;
    std::string token;
    {
        Guest first(fixture);
        token = first.join();
    }
    REQUIRE(fixture.becomes([&] { return fixture.owner.was_told("lost"); }));
    SECTION("with its token the boot is welcome again") {
        Guest second(fixture);
        second.hello(token, "init");
        CHECK(second.expect<protocol::Welcome>().token == token);
        CHECK(fixture.owner.told.back() == "up init");
    }
    SECTION("without it the hello is refused and said so") {
        Guest second(fixture);
        second.hello();
        CHECK(second.is_closed());
        CHECK(fixture.owner.was_told("refused a hello without the token"));
    }
    SECTION("with another one too") {
        Guest second(fixture);
        second.hello(std::string(64, '0'));
        CHECK(second.is_closed());
        CHECK(fixture.owner.was_told("refused a hello with a wrong token"));
    }
    SECTION("an invented boot does not get around it") {
        Guest second(fixture, other_boot);
        second.hello();
        CHECK(second.is_closed());
        CHECK(fixture.owner.was_told("refused a hello of boot 9"));
    }
}

TEST_CASE("link: a guest whose first link broke before it had the token may come again without", "[host][guest_link]") {
    Fixture fixture;
    {
        Guest first(fixture);
        first.hello();
        first.expect<protocol::Welcome>();
    }
    REQUIRE(fixture.becomes([&] { return fixture.owner.was_told("lost"); }));
    Guest second(fixture);
    second.join();
    CHECK(fixture.owner.tokens.size() == 1);
}

TEST_CASE("link: refusals do not disturb the link that is up", "[host][guest_link]") {
    Fixture fixture;
    Guest agent(fixture);
    agent.join();
    {
        Guest impostor(fixture);
        impostor.hello();
        CHECK(impostor.is_closed());
    }
    agent.report(1);
    CHECK(fixture.becomes([&] { return fixture.owner.reports.size() == 1; }));
    CHECK_FALSE(fixture.owner.was_told("lost"));
}

TEST_CASE("link: the newest valid link wins", "[host][guest_link]") {
    Fixture fixture;
    Guest old(fixture);
    const auto token = old.join();
    Guest fresh(fixture);
    fresh.hello(token);
    fresh.expect<protocol::Welcome>();
    CHECK(old.is_closed());
    fresh.report(1);
    CHECK(fixture.becomes([&] { return fixture.owner.reports.size() == 1; }));
    CHECK_FALSE(fixture.owner.was_told("lost"));
}

TEST_CASE("link: a guest that breaks the protocol loses that link and nothing else", "[host][guest_link]") {
    Fixture fixture;
    Guest guest(fixture);
    const auto token = guest.join();
    SECTION("malformed JSON") { guest.raw().send(framing::make_frame("{\"v\":1,")); }
    SECTION("an oversized frame") { guest.raw().send(std::string("\xff\xff\xff\x7f", 4)); }
    SECTION("JSON that nests without end") { guest.raw().send(framing::make_frame(std::string(50'000, '['))); }
    SECTION("another protocol version") {
        guest.raw().send(framing::make_frame("{\"v\":99,\"t\":\"ping\",\"boot\":\"" + boot.value() + "\",\"epoch\":0,\"body\":{}}"));
    }
    SECTION("a second hello") { guest.hello(token); }
    SECTION("a message that only the host sends") { guest.say(protocol::Ack{5}); }
    CHECK(guest.is_closed());
    CHECK(fixture.becomes([&] { return fixture.owner.was_told("lost link.protocol"); }));
    Guest again(fixture);
    again.hello(token);
    again.expect<protocol::Welcome>();
}

TEST_CASE("link: what is no agent at all is refused", "[host][guest_link]") {
    SessionLimits limits;
    limits.hello_deadline = 50ms;
    Fixture fixture(limits);
    Guest stranger(fixture);
    SECTION("a report before the hello") { stranger.report(1); }
    SECTION("garbage") { stranger.raw().send("GET / HTTP/1.1\r\n\r\n"); }
    SECTION("silence") {}
    CHECK(stranger.is_closed());
    CHECK(fixture.becomes([&] { return fixture.owner.was_told("refused"); }));
}

TEST_CASE("link: who hangs up before a word is not refused, for a busy guest gives a dial up and dials again", "[host][guest_link]") {
    Fixture fixture;
    { const Guest passer(fixture); }
    Guest stranger(fixture);
    stranger.raw().send("GET / HTTP/1.1\r\n\r\n");
    CHECK(fixture.becomes([&] { return fixture.owner.was_told("refused"); }));
    CHECK_FALSE(fixture.owner.was_told("refused a connection without a hello: closed by the guest"));
}

TEST_CASE("link: the wrong image is named", "[host][guest_link]") {
    Fixture fixture;
    Guest guest(fixture);
    protocol::Hello hello;
    hello.protocols = {1};
    hello.image_digest = "some other image";
    guest.say(hello);
    CHECK(guest.is_closed());
    CHECK(fixture.owner.was_told("lost boot.image_mismatch"));
}

TEST_CASE("link: a flood is said, read more slowly, and nothing of it is lost", "[host][guest_link]") {
    SessionLimits limits;
    limits.reports_per_second = 100;   // so slow that no machine reads as slowly
    Fixture fixture(limits);
    Guest guest(fixture);
    guest.join();
    constexpr Seq sent = 260;
    std::string frames;
    for (Seq seq = 1; seq <= sent; ++seq) frames += guest.report_frame(seq);
    REQUIRE(guest.raw().send(frames));
    CHECK(fixture.becomes([&] { return fixture.owner.was_told("lost link.flood"); }));
    CHECK(fixture.owner.reports.size() < sent);
    CHECK(fixture.becomes([&] { return fixture.owner.reports.size() == sent; }));
    CHECK(fixture.owner.told.back() == "up initrd");  // reading again
}

TEST_CASE("link: pings go out by themselves, also behind a guest's own", "[host][guest_link]") {
    SessionLimits limits;
    limits.ping_interval = 20ms;
    Fixture fixture(limits);
    Guest guest(fixture);
    guest.hello();
    const auto first = guest.expect<protocol::Ping>();
    CHECK(first.n == 1);
    CHECK(first.wall_unix_us > 1'700'000'000'000'000);  // the guest has no other source of time
    CHECK(guest.expect<protocol::Ping>().n == 2);
    guest.say(protocol::Ping{9, 1234});
    const auto pong = guest.expect<protocol::Pong>();
    CHECK(pong.n == 9);
    CHECK(pong.sender_us == 1234);
}

TEST_CASE("link: pings that nothing comes after are counted, and any word of the guest ends that", "[host][guest_link]") {
    SessionLimits limits;
    limits.ping_interval = 20ms;
    Fixture fixture(limits);
    Guest guest(fixture);
    guest.hello();
    REQUIRE(fixture.becomes([&] { return fixture.owner.was_told("quiet") && fixture.link->quiet().pings >= 3; }));
    const auto heard = fixture.link->quiet().heard_us;
    guest.report(1);
    REQUIRE(fixture.becomes([&] { return !fixture.owner.reports.empty(); }));
    CHECK(fixture.link->quiet().pings < 3);
    CHECK(fixture.link->quiet().heard_us > heard);
}

TEST_CASE("link: a request gets its reply, or says why not", "[host][guest_link]") {
    Fixture fixture;
    std::vector<std::string> answers;
    const auto keep = [&](Result<protocol::Reply> reply) {
        answers.push_back(reply ? (reply->ok ? "ok" : reply->problem) : std::string(to_text(reply.error().code())));
    };
    fixture.link->request("shutdown", "{}", 10s, keep);
    CHECK(answers == std::vector<std::string>{"unavailable"});

    Guest guest(fixture);
    guest.join();
    fixture.link->request("shutdown", "{\"kind\":\"poweroff\"}", 10s, keep);
    const auto request = guest.expect<protocol::Request>();
    CHECK(request.op == "shutdown");
    guest.say(protocol::Reply{request.id, true, "", "{}"});
    CHECK(fixture.becomes([&] { return answers.size() == 2; }));
    CHECK(answers.back() == "ok");

    fixture.link->request("shutdown", "{}", 20ms, keep);
    CHECK(fixture.becomes([&] { return answers.size() == 3; }));
    CHECK(answers.back() == "timeout");

    fixture.link->request("shutdown", "{}", 10s, keep);
    guest.raw().close();
    CHECK(fixture.becomes([&] { return answers.size() == 4; }));
    CHECK(answers.back() == "unavailable");
}

TEST_CASE("link: a guest that is gone is read to its end", "[host][guest_link]") {
    Fixture fixture;
    Guest guest(fixture);
    guest.join();
    for (Seq seq = 1; seq <= 50; ++seq) guest.report(seq);
    guest.raw().close();
    bool drained = false;
    asio::co_spawn(fixture.io, fixture.link->drained(20s), [&](std::exception_ptr) { drained = true; });
    CHECK(fixture.becomes([&] { return drained; }));
    CHECK(fixture.owner.reports.size() == 50);
}

}  // namespace vigil::guest_link
