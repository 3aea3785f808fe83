// Connections out of a VM: the agent is the other end of a Unix socket, the outside is a server on this machine's loopback that the policy names.
#include "host/egress/listener.hpp"
#include "shared/framing/frame.hpp"
#include "shared/streams/chunk.hpp"
#include "shared/streams/egress.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <boost/asio/co_spawn.hpp>

#include <catch2/catch_test_macros.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <fstream>
#include <memory>

namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace vigil::egress {

using streams::Channel;
using test::pump_until;

namespace {

const BootId boot("01234567-89ab-cdef-0123-456789abcdef");

/// A server on the loopback: what it hears, what it says; one connection at a time.
class Outer {
  public:
    Outer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listener_.get(), 8) == 0);
        socklen_t size = sizeof address;
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port = std::to_string(ntohs(address.sin_port));
    }
    const std::string& heard() {
        if (!peer_) peer_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        char block[65536];
        ssize_t count = 0;
        while (peer_ && (count = ::recv(peer_.get(), block, sizeof block, MSG_DONTWAIT)) > 0) heard_.append(block, static_cast<std::size_t>(count));
        if (peer_ && count == 0) ended = true;
        return heard_;
    }
    void say(std::string_view bytes) { REQUIRE(::send(peer_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size())); }
    void close() { peer_.reset(); }
    bool was_called() { return heard(), static_cast<bool>(peer_); }
    std::string port;
    bool ended = false;

  private:
    UniqueFd listener_, peer_;
    std::string heard_;
};

/// The guest's end of one connection.
class Agent {
  public:
    Agent(const std::string& path, const std::string& token) : socket_(path) {
        REQUIRE(socket_.send(framing::make_frame(streams::encode(streams::EgressHello{boot, token}))));
    }
    void say(std::string_view bytes) {
        std::string chunks;
        streams::append_chunks(chunks, Channel::data, bytes);
        REQUIRE(socket_.send(chunks));
    }
    void end(Channel channel) {
        std::string chunks;
        streams::append_end(chunks, channel);
        socket_.send(chunks);
    }
    const std::string& heard() {
        chunks_.feed(socket_.received());
        socket_.clear();
        for (auto chunk = chunks_.next(); chunk && *chunk; chunk = chunks_.next()) {
            ended = ended || (*chunk)->is_end();
            heard_ += (*chunk)->bytes;
        }
        return heard_;
    }
    bool closed() { return heard(), socket_.closed(); }
    bool ended = false;

  private:
    test::UnixClient socket_;
    streams::ChunkReader chunks_;
    std::string heard_;
};

struct Fixture : private EgressOwner {
    test::TemporaryDirectory directory;
    asio::io_context io;
    SystemClock clock;
    egress::Outside outside;
    Outer outer;
    std::string path = (directory.path() / "egress").string();
    std::vector<std::string> told;
    std::unique_ptr<Listener> listener;

    void open(std::string policy) {
        for (auto at = policy.find("PORT"); at != std::string::npos; at = policy.find("PORT")) policy.replace(at, 4, outer.port);
        outside.credentials_dir = directory.path().string();
        auto parsed = machine::parse_egress_policy(policy);
        REQUIRE(parsed.has_value());
        listener = std::make_unique<Listener>(io, path, *parsed, outside, static_cast<EgressOwner&>(*this), clock);
        REQUIRE(listener->listen().has_value());
    }
    ~Fixture() override {
        bool stopped = false;
        asio::co_spawn(io, listener->stop(), [&](std::exception_ptr) { stopped = true; });
        CHECK(pump_until(io, [&] { return stopped; }));
    }
    bool hears(Agent& agent, const std::string& text) {
        return pump_until(io, [&] { return agent.heard().find(text) != std::string::npos; });
    }
    bool outer_hears(const std::string& text) {
        return pump_until(io, [&] { return outer.heard().find(text) != std::string::npos; });
    }
    bool is_agent(const BootId& id, const std::string& token) override { return id == boot && token == "right"; }
    void egress_refused(const protocol::Cause& cause, std::uint64_t) override { told.push_back(cause.text); }
};

const std::string to_loopback = R"({"allow":["site.test:PORT"],"hosts":{"site.test":"127.0.0.1","other.test":"127.0.0.1"},"networks":["127.0.0.1/32"]})";

}  // namespace

TEST_CASE("egress: CONNECT becomes a tunnel of raw bytes, each end with its own end", "[host][egress]") {
    Fixture fixture;
    fixture.open(to_loopback);
    Agent agent(fixture.path, "right");
    agent.say("CONNECT Site.test:" + fixture.outer.port + " HTTP/1.1\r\nHost: x\r\n\r\nearly");
    CHECK(fixture.hears(agent, "HTTP/1.1 200 "));
    CHECK(fixture.outer_hears("early"));
    CHECK(fixture.outer.heard() == "early");
    fixture.outer.say("answer");
    CHECK(fixture.hears(agent, "\r\n\r\nanswer"));
    agent.end(Channel::data);
    CHECK(pump_until(fixture.io, [&] { return fixture.outer.heard(), fixture.outer.ended; }));
    fixture.outer.say("last");
    fixture.outer.close();
    CHECK(fixture.hears(agent, "last"));
    CHECK(pump_until(fixture.io, [&] { return agent.heard(), agent.ended; }));
    CHECK_FALSE(agent.closed());   // the guest has the last word, then we close
    agent.end(Channel::control);
    CHECK(pump_until(fixture.io, [&] { return agent.closed(); }));
    CHECK(fixture.outside.counters.passed == 1);
    CHECK(fixture.outside.counters.open == 0);
}

TEST_CASE("egress: a plain request goes to the host of its target, and no second one with it", "[host][egress]") {
    Fixture fixture;
    fixture.open(to_loopback);
    Agent agent(fixture.path, "right");
    agent.say("POST http://site.test:" + fixture.outer.port + "/x HTTP/1.1\r\nHost: internal\r\nContent-Length: 3\r\n\r\nabcGET http://site.test/ HTTP/1.1\r\n\r\n");
    CHECK(fixture.outer_hears("\r\n\r\nabc"));
    CHECK(fixture.outer.heard() == "POST /x HTTP/1.1\r\nHost: site.test:" + fixture.outer.port + "\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
    fixture.outer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    fixture.outer.close();
    CHECK(fixture.hears(agent, "\r\n\r\nok"));
}

TEST_CASE("egress: refusals are answers with their cause, and events", "[host][egress]") {
    Fixture fixture;
    std::string target = "site.test:" + fixture.outer.port, code, status = "403";
    SECTION("the policy is deny") {
        fixture.open(R"("deny")");
        code = "egress.denied";
    }
    SECTION("no rule allows it") {
        fixture.open(to_loopback);
        target = "other.test:" + fixture.outer.port;
        code = "egress.denied";
    }
    SECTION("a public name that resolves to the loopback: the address is refused, not the name") {
        fixture.open(R"({"mode":"direct","hosts":{"site.test":"127.0.0.1"}})");
        code = "egress.denied";
    }
    SECTION("an address in disguise") {
        fixture.open(R"("direct")");
        target = "[::ffff:127.0.0.1]:" + fixture.outer.port;
        code = "egress.denied";
    }
    SECTION("a name that nobody knows") {
        fixture.open(R"({"allow":["no-such-name.invalid:*"]})");
        target = "no-such-name.invalid:443";
        code = "egress.dns_failed";
        status = "502";
    }
    SECTION("nobody listens") {
        fixture.open(R"({"mode":"direct","networks":["127.0.0.0/8"],"hosts":{"site.test":"127.0.0.1"}})");
        target = "site.test:1";
        code = "egress.connect_failed";
        status = "502";
    }
    Agent agent(fixture.path, "right");
    agent.say("CONNECT " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(fixture.hears(agent, "HTTP/1.1 " + status));
    CHECK(fixture.hears(agent, "\"code\":\"" + code + "\""));
    CHECK(fixture.told == std::vector<std::string>{code});
    CHECK(fixture.outside.counters.refused[code] == 1);
    CHECK_FALSE(fixture.outer.was_called());
}

TEST_CASE("egress: one connection more than a VM may have is refused by name, and more than that are hung up and counted", "[host][egress]") {
    Fixture fixture;
    fixture.outside.limits.max_connections = 1;
    fixture.open(to_loopback);
    const std::string wanted = "CONNECT site.test:" + fixture.outer.port + " HTTP/1.1\r\nHost: x\r\n\r\n";
    Agent first(fixture.path, "right");
    first.say(wanted);
    REQUIRE(fixture.hears(first, "HTTP/1.1 200"));
    Agent second(fixture.path, "right");
    second.say(wanted);
    CHECK(fixture.hears(second, "HTTP/1.1 403"));
    CHECK(fixture.hears(second, "1 connections leave this VM already"));
    CHECK(fixture.told == std::vector<std::string>{"egress.denied"});
    std::vector<std::unique_ptr<test::UnixClient>> more;
    for (int n = 0; n < 40; ++n) more.push_back(std::make_unique<test::UnixClient>(fixture.path));
    CHECK(pump_until(fixture.io, [&] { return more.back()->closed(); }));
    CHECK(fixture.outside.counters.refused["too_many"] > 0);
}

TEST_CASE("egress: who does not show the boot's token, or breaks the proxy's language, gets nowhere", "[host][egress]") {
    Fixture fixture;
    fixture.open(to_loopback);
    SECTION("token") {
        Agent agent(fixture.path, "wrong");
        agent.say("CONNECT site.test:" + fixture.outer.port + " HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK(pump_until(fixture.io, [&] { return agent.closed(); }));
        CHECK(fixture.outside.counters.strangers == 1);
    }
    SECTION("no hello") {
        test::UnixClient stranger(fixture.path);
        stranger.send("CONNECT site.test:80 HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK(pump_until(fixture.io, [&] { return stranger.closed(); }));
    }
    SECTION("silence") {
        fixture.outside.limits.hello_deadline = std::chrono::milliseconds(50);
        test::UnixClient silent(fixture.path);
        CHECK(pump_until(fixture.io, [&] { return silent.closed(); }));
        CHECK(fixture.outside.counters.strangers == 1);
    }
    SECTION("silence behind the hello") {
        fixture.outside.limits.head_deadline = std::chrono::milliseconds(50);
        Agent agent(fixture.path, "right");
        CHECK(fixture.hears(agent, "HTTP/1.1 400"));
        CHECK(pump_until(fixture.io, [&] { return agent.closed(); }));
    }
    SECTION("language") {
        Agent agent(fixture.path, "right");
        agent.say("GET / HTTP/1.1\r\nHost: site.test:" + fixture.outer.port + "\r\n\r\n");
        CHECK(fixture.hears(agent, "HTTP/1.1 400"));
    }
    CHECK_FALSE(fixture.outer.was_called());
}

TEST_CASE("egress: an upstream proxy is asked with credentials that the guest never sees, and its refusal is named", "[host][egress]") {
    Fixture fixture;
    const auto file = fixture.directory.path() / "corp";
    std::ofstream(file) << "user:secret\n";
    ::chmod(file.c_str(), 0600);
    fixture.open(R"({"mode":"upstream","upstream":{"proxy":"127.0.0.1:PORT","credentials":"corp"}})");
    Agent agent(fixture.path, "right");
    SECTION("it agrees") {
        agent.say("CONNECT far.test:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: mine\r\n\r\n");
        CHECK(fixture.outer_hears("\r\n\r\n"));
        CHECK(fixture.outer.heard() == "CONNECT far.test:443 HTTP/1.1\r\nHost: far.test:443\r\nProxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n");
        fixture.outer.say("HTTP/1.1 200 yes\r\n\r\nhello");
        CHECK(fixture.hears(agent, "\r\n\r\nhello"));
        CHECK(fixture.told.empty());
    }
    SECTION("it refuses") {
        agent.say("CONNECT far.test:443 HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK(fixture.outer_hears("\r\n\r\n"));
        fixture.outer.say("HTTP/1.1 407 no\r\n\r\n");
        CHECK(fixture.hears(agent, "\"code\":\"egress.upstream_refused\""));
        CHECK(fixture.hears(agent, "does not take the user and password of the credentials corp"));
        CHECK(fixture.told == std::vector<std::string>{"egress.upstream_refused"});
    }
    SECTION("a plain request keeps its absolute target") {
        agent.say("GET http://far.test/x HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK(fixture.outer_hears("\r\n\r\n"));
        CHECK(fixture.outer.heard().starts_with("GET http://far.test:80/x HTTP/1.1\r\nHost: far.test\r\n"));
        CHECK(fixture.outer.heard().find("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=") != std::string::npos);
    }
    SECTION("TRACE would show them") {
        agent.say("TRACE http://far.test/ HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK(fixture.hears(agent, "HTTP/1.1 400"));
        CHECK(fixture.outer.heard().empty());
    }
    SECTION("credentials that others can read are not sent") {
        ::chmod(file.c_str(), 0644);
        agent.say("CONNECT far.test:443 HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK(fixture.hears(agent, "egress/corp of the daemon's state can be read by others"));
        CHECK(agent.heard().find(fixture.directory.path().string()) == std::string::npos);   // no path of the host for a guest
        CHECK(fixture.outer.heard().empty());
    }
    CHECK(agent.heard().find("secret") == std::string::npos);
}

}  // namespace vigil::egress
