// The server over a real Unix socket, driven by raw bytes: what a client may send is not what a client library would.
#include "host/http/server.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <nlohmann/json.hpp>

#include <catch2/catch_test_macros.hpp>

#include <netinet/in.h>

#include <deque>
#include <memory>

namespace asio = boost::asio;
namespace vigil::http {
using namespace std::chrono_literals;

using vigil::Errc;
using vigil::Error;
using vigil::Result;
using vigil::test::pump_until;
using vigil::test::UnixClient;

namespace {

/// A source that the test feeds by hand.
struct Feed {
    std::deque<StreamEvent> events;
    std::function<void()> wake;
    bool ended = false, alive = false;
    int taken = 0;
};

class FedSource final : public EventSource {
  public:
    explicit FedSource(std::shared_ptr<Feed> feed) : feed_(std::move(feed)) { feed_->alive = true; }
    ~FedSource() override { feed_->alive = false; }
    Result<Batch> next() override {
        Batch batch;
        while (!feed_->events.empty() && batch.events.size() < 16) {
            batch.events.push_back(feed_->events.front());
            feed_->events.pop_front();
            ++feed_->taken;
        }
        batch.ended = feed_->ended && feed_->events.empty();
        return batch;
    }
    void on_more(std::function<void()> wake) override { feed_->wake = std::move(wake); }

  private:
    std::shared_ptr<Feed> feed_;
};

/// Gives its parts one by one; an empty one is "nothing yet", and wakes at once.
class Parts final : public ByteSource {
  public:
    explicit Parts(std::deque<std::string> parts, bool breaks = false) : parts_(std::move(parts)), breaks_(breaks) {}
    Result<Part> next() override {
        if (parts_.empty() && breaks_) return Error(Errc::unavailable, "the guest is gone");
        if (parts_.empty()) return Part{"", true};
        Part part{parts_.front(), false};
        parts_.pop_front();
        if (part.bytes.empty()) wake_();
        return part;
    }
    void on_more(std::function<void()> wake) override { wake_ = std::move(wake); }

  private:
    std::deque<std::string> parts_;
    bool breaks_;
    std::function<void()> wake_;
};

class Silent final : public ByteSource {
  public:
    Result<Part> next() override { return Part{}; }
    void on_more(std::function<void()>) override {}
};

struct Fixture {
    vigil::test::TemporaryDirectory directory;
    asio::io_context io;
    std::shared_ptr<Feed> feed = std::make_shared<Feed>();
    std::optional<Reply> kept;
    std::weak_ptr<vigil::async::Leash> leash;   // of the last request for events
    vigil::UniqueFd handed_over;
    std::string sent_with_it;
    std::unique_ptr<Server> server;
    std::string path = (directory.path() / "api").string();

    explicit Fixture(Limits limits = {}, const std::string& tcp = "", Doorkeeper doorkeeper = {}) {
        std::vector<Route> routes = {
            {Method::get, "/hello", [](const Request&, const Reply& reply) { reply.send({200, "text/plain", "hello", {}}); }},
            {Method::post, "/echo", [](const Request& request, const Reply& reply) { reply.send({200, "text/plain", request.body, {}}); }},
            {Method::get, "/peer", [](const Request& request, const Reply& reply) { reply.send({200, "text/plain", std::to_string(request.peer.pid), {}}); }},
            {Method::get, "/later", [this](const Request&, const Reply& reply) { kept = reply; }},
            {Method::get, "/who", [](const Request& request, const Reply& reply) { reply.send({200, "text/plain", request.peer.is_local ? "local" : request.peer.address, {}}); }},
            {Method::post, "/stream", [this](const Request&, const Reply& reply) {
                 reply.hand_over({"test/1", [this](vigil::UniqueFd fd, std::string sent) {
                                      handed_over = std::move(fd);
                                      sent_with_it = std::move(sent);
                                  }});
             }},
            {Method::get, "/file", [](const Request&, const Reply& reply) { reply.stream({"text/plain", 8, {{"X-Type", "file"}}, std::make_unique<Parts>(std::deque<std::string>{"one ", "", "four!"})}); }},
            {Method::get, "/short", [](const Request&, const Reply& reply) { reply.stream({"text/plain", 8, {}, std::make_unique<Parts>(std::deque<std::string>{"one"})}); }},
            {Method::get, "/list", [](const Request&, const Reply& reply) { reply.stream({"text/plain", std::nullopt, {}, std::make_unique<Parts>(std::deque<std::string>{"one", "", "three"})}); }},
            {Method::get, "/silent", [](const Request&, const Reply& reply) { reply.stream({"text/plain", 8, {}, std::make_unique<Silent>()}); }},
            {Method::get, "/broken", [](const Request&, const Reply& reply) { reply.stream({"text/plain", std::nullopt, {}, std::make_unique<Parts>(std::deque<std::string>{"one"}, true)}); }},
            {Method::get, "/events", [this](const Request& request, const Reply& reply) {
                 leash = request.leash;
                 reply.stream(std::make_unique<FedSource>(feed));
             }},
        };
        server = std::make_unique<Server>(io, Router(std::move(routes)), ServerOptions{path, 0600, limits, tcp, std::move(doorkeeper)});
        REQUIRE(server->listen().has_value());
    }
    ~Fixture() {
        bool stopped = false;
        asio::co_spawn(io, server->stop(), [&](std::exception_ptr) { stopped = true; });
        CHECK(pump_until(io, [&] { return stopped; }));
    }
    bool receives(UnixClient& client, const std::string& text) {
        return pump_until(io, [&] { return client.received().find(text) != std::string::npos; });
    }
    bool closes(UnixClient& client) {
        return pump_until(io, [&] { return client.closed(); });
    }
};

}  // namespace

TEST_CASE("http: several requests on one connection, also sent at once", "[host][http]") {
    Fixture fixture;
    UnixClient client(fixture.path);
    REQUIRE(client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde"));
    CHECK(fixture.receives(client, "abcde"));
    CHECK(client.received().find("hello") < client.received().find("abcde"));
    REQUIRE(client.send("GET /peer HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(fixture.receives(client, std::to_string(::getpid())));
    CHECK_FALSE(client.closed());
}

TEST_CASE("http: a body in pieces is put together, an asked-for continue is given", "[host][http]") {
    Fixture fixture;
    UnixClient client(fixture.path);
    REQUIRE(client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n"));
    CHECK(fixture.receives(client, "100 Continue"));
    REQUIRE(client.send("abc"));
    fixture.io.restart();
    fixture.io.poll();
    REQUIRE(client.send("def"));
    CHECK(fixture.receives(client, "abcdef"));
}

TEST_CASE("http: limits answer with a problem that names them and close", "[host][http]") {
    Limits limits;
    limits.max_body_bytes = 100;
    limits.max_header_bytes = 1000;
    Fixture fixture(limits);
    UnixClient client(fixture.path);
    std::string status;
    SECTION("a body that is announced too long") {
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n");
        status = "413";
    }
    SECTION("a body whose chunks grow too long") {
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n80\r\n" + std::string(128, 'x') + "\r\n0\r\n\r\n");
        status = "413";
    }
    SECTION("a header that is too long") {
        client.send("GET /hello HTTP/1.1\r\nHost: x\r\nX-Long: " + std::string(2000, 'x') + "\r\n\r\n");
        status = "431";
    }
    SECTION("no HTTP at all") {
        client.send("\x16\x03\x01 garbage\r\n\r\n");
        status = "400";
    }
    CHECK(fixture.receives(client, "HTTP/1.1 " + status));
    CHECK(fixture.receives(client, "application/problem+json"));
    CHECK(fixture.closes(client));
    UnixClient other(fixture.path);  // nobody else is disturbed
    REQUIRE(other.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(fixture.receives(other, "hello"));
}

TEST_CASE("http: a request that does not end in time is cut off", "[host][http]") {
    Limits limits;
    limits.request_deadline = 50ms;
    Fixture fixture(limits);
    UnixClient client(fixture.path);
    REQUIRE(client.send("GET /hello HTTP/1.1\r\nHost:"));
    CHECK(fixture.closes(client));
}

TEST_CASE("http: an answer may come later; when it does not, the client is told", "[host][http]") {
    Limits limits;
    limits.answer_deadline = 100ms;
    Fixture fixture(limits);
    UnixClient client(fixture.path);
    REQUIRE(client.send("GET /later HTTP/1.1\r\nHost: x\r\n\r\n"));
    REQUIRE(pump_until(fixture.io, [&] { return fixture.kept.has_value(); }));
    SECTION("in time") {
        fixture.kept->send({200, "text/plain", "at last", {}});
        CHECK(fixture.receives(client, "at last"));
    }
    SECTION("never") {
        CHECK(fixture.receives(client, "HTTP/1.1 504"));
        fixture.kept->send({200, "text/plain", "too late", {}});  // harms nobody
    }
    SECTION("the client leaves first") {
        client.close();
        fixture.kept->send({200, "text/plain", "for nobody", {}});
    }
    SECTION("the answerer forgets it") {
        fixture.kept.reset();
        CHECK(fixture.receives(client, "HTTP/1.1 500"));
    }
}

TEST_CASE("http: more connections than allowed are refused, not queued", "[host][http]") {
    Limits limits;
    limits.max_connections = 2;
    Fixture fixture(limits);
    UnixClient first(fixture.path), second(fixture.path);
    first.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    second.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(fixture.receives(first, "hello"));
    CHECK(fixture.receives(second, "hello"));
    UnixClient third(fixture.path);
    CHECK(fixture.closes(third));
    first.close();
    CHECK(pump_until(fixture.io, [&] {
        UnixClient again(fixture.path);
        again.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
        return pump_until(fixture.io, [&] { return again.closed() || again.received().find("hello") != std::string::npos; }) && !again.closed();
    }));
}

TEST_CASE("http: event streams have a limit of their own and are in no request's way", "[host][http]") {
    Limits limits;
    limits.max_connections = 1;
    limits.max_event_streams = 2;
    Fixture fixture(limits);
    UnixClient first(fixture.path);
    first.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    REQUIRE(fixture.receives(first, "text/event-stream"));
    {
        UnixClient second(fixture.path);
        second.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
        REQUIRE(fixture.receives(second, "text/event-stream"));
        UnixClient third(fixture.path);
        third.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK(fixture.receives(third, "HTTP/1.1 503"));
        CHECK(fixture.closes(third));
    }
    // The one that has gone makes room, and asking for it took nobody's place.
    CHECK(pump_until(fixture.io, [&] {
        UnixClient again(fixture.path);
        again.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
        return pump_until(fixture.io, [&] { return again.closed() || again.received().find("event-stream") != std::string::npos; }) && !again.closed();
    }));
    UnixClient asks(fixture.path);
    asks.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(fixture.receives(asks, "hello"));
}

TEST_CASE("events: a quiet stream ends at once when its leash is cut", "[host][http]") {
    Fixture fixture;
    UnixClient client(fixture.path);
    REQUIRE(client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"));
    REQUIRE(fixture.receives(client, "text/event-stream"));
    const auto leash = fixture.leash.lock();
    REQUIRE(leash);
    CHECK(leash->goes_on());
    leash->cut();
    CHECK(fixture.closes(client));
    CHECK_FALSE(fixture.feed->alive);
}

TEST_CASE("events: what is there at once, what comes later, and the end", "[host][http]") {
    Fixture fixture;
    fixture.feed->events = {{1, "stage", "a"}, {2, "stage", "b"}};
    UnixClient client(fixture.path);
    REQUIRE(client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(fixture.receives(client, "id: 2\nevent: stage\ndata: b\n\n"));
    CHECK(client.received().find("text/event-stream") != std::string::npos);
    fixture.feed->events.push_back({3, "service", "c"});
    fixture.feed->wake();
    CHECK(fixture.receives(client, "id: 3\nevent: service\ndata: c\n\n"));
    fixture.feed->ended = true;
    fixture.feed->wake();
    CHECK(fixture.receives(client, "\r\n0\r\n\r\n"));
    CHECK(fixture.closes(client));
    CHECK(pump_until(fixture.io, [&] { return !fixture.feed->alive; }));
    fixture.feed->wake();  // after the end: harms nobody
}

TEST_CASE("events: a client that leaves frees its source at once", "[host][http]") {
    Fixture fixture;
    UnixClient client(fixture.path);
    REQUIRE(client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"));
    REQUIRE(fixture.receives(client, "text/event-stream"));
    REQUIRE(fixture.feed->alive);
    client.close();
    CHECK(pump_until(fixture.io, [&] { return !fixture.feed->alive; }, 10s));  // well before the first heartbeat
}

TEST_CASE("events: an idle stream carries heartbeats", "[host][http]") {
    Limits limits;
    limits.heartbeat = 20ms;
    Fixture fixture(limits);
    UnixClient client(fixture.path);
    REQUIRE(client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(fixture.receives(client, ": alive\n\n"));
}

TEST_CASE("events: a client that does not read holds a cursor, not memory", "[host][http]") {
    Limits limits;
    limits.write_deadline = 200ms;
    Fixture fixture(limits);
    constexpr int events = 20'000;
    for (int i = 0; i < events; ++i) fixture.feed->events.push_back({i, "stage", std::string(1000, 'x')});
    UnixClient client(fixture.path);
    REQUIRE(client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(pump_until(fixture.io, [&] { return fixture.feed->taken > 0 && !fixture.feed->alive; }));  // cut off by the write deadline
    CHECK(fixture.feed->taken < events / 4);
}

TEST_CASE("http: a connection that is handed over is the client's and the taker's alone, with what was sent early", "[host][http]") {
    Fixture fixture;
    UnixClient client(fixture.path);
    REQUIRE(client.send("POST /stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: test/1\r\nContent-Length: 2\r\n\r\n{}early"));
    CHECK(fixture.receives(client, "101 Switching Protocols\r\n"));
    CHECK(fixture.receives(client, "Upgrade: test/1\r\n"));
    REQUIRE(pump_until(fixture.io, [&] { return static_cast<bool>(fixture.handed_over); }));
    CHECK(fixture.sent_with_it == "early");
    client.clear();
    REQUIRE(::send(fixture.handed_over.get(), "raw", 3, MSG_NOSIGNAL) == 3);
    CHECK(fixture.receives(client, "raw"));
    CHECK_FALSE(client.closed());
    fixture.handed_over.reset();
    CHECK(fixture.closes(client));
}

namespace {

std::uint16_t port_in(const std::string& address) { return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))); }

/// Talks in one go, and gives all that comes until the end or the answer.
std::string ask_tcp(Fixture& fixture, const std::string& bytes, const std::string& until) {
    const vigil::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_in(fixture.server->tcp_address()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    bool sent = false;
    std::string received;
    pump_until(fixture.io, [&] {
        if (!sent) sent = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
        char block[4096];
        const ssize_t got = ::recv(fd.get(), block, sizeof block, 0);
        if (got > 0) received.append(block, static_cast<std::size_t>(got));
        return got == 0 || received.find(until) != std::string::npos;
    });
    return received;
}

}  // namespace

TEST_CASE("http: at the TCP door a stranger is turned away before his body is read, and never at the Unix socket", "[host][http]") {
    int asked = 0;
    Doorkeeper doorkeeper = [&asked](const Request& request) -> std::optional<Response> {
        ++asked;
        if (request.header("authorization") == "Bearer good" || request.path == "/hello") return std::nullopt;
        return problem_response({401, "unauthorized", "who asks is not known", ""});
    };
    Fixture fixture({}, "127.0.0.1:0", doorkeeper);
    const auto refused = ask_tcp(fixture, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "unauthorized");
    CHECK(refused.starts_with("HTTP/1.1 401"));
    CHECK(refused.find("Connection: close") != std::string::npos);
    CHECK(ask_tcp(fixture, "BREW /echo HTTP/1.1\r\nHost: x\r\n\r\n", "unauthorized").starts_with("HTTP/1.1 401"));
    CHECK(ask_tcp(fixture, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "unauthorized").starts_with("HTTP/1.1 401"));
    CHECK(ask_tcp(fixture, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\nhello").starts_with("HTTP/1.1 200"));
    CHECK(ask_tcp(fixture, "GET /who HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\r\n", "127.0.0.1").starts_with("HTTP/1.1 200"));
    CHECK(asked == 5);
    UnixClient client(fixture.path);
    REQUIRE(client.send("GET /who HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(fixture.receives(client, "local"));
    CHECK(asked == 5);
}

TEST_CASE("http: who fills the TCP door does not shut the Unix socket", "[host][http]") {
    Limits limits;
    limits.max_connections = 3;
    Fixture fixture(limits, "127.0.0.1:0", [](const Request&) { return std::optional<Response>(); });
    std::vector<vigil::UniqueFd> half_open;
    for (int i = 0; i < 10; ++i) {
        half_open.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port_in(fixture.server->tcp_address()));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::connect(half_open.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    pump_until(fixture.io, [] { return false; }, 200ms);
    UnixClient client(fixture.path);
    REQUIRE(client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(fixture.receives(client, "hello"));
}

TEST_CASE("http: the TCP door opens on the loopback alone", "[host][http]") {
    vigil::test::TemporaryDirectory directory;
    asio::io_context io;
    for (const auto* address : {"0.0.0.0:0", "192.0.2.1:80", "[::]:0", "localhost:80", "127.0.0.1", "127.0.0.1:99999", ""}) {
        CAPTURE(address);
        ServerOptions options{(directory.path() / "api").string(), 0600, {}, address, [](const Request&) { return std::optional<Response>(); }};
        Server server(io, Router({}), options);
        const auto listening = server.listen();
        CHECK(listening.has_value() == std::string_view(address).empty());
        bool stopped = false;
        asio::co_spawn(io, server.stop(), [&](std::exception_ptr) { stopped = true; });
        CHECK(pump_until(io, [&] { return stopped; }));
    }
}

TEST_CASE("http: a source that gives nothing does not keep its client for ever", "[host][http]") {
    Limits limits;
    limits.answer_deadline = 50ms;
    Fixture fixture(limits);
    UnixClient client(fixture.path);
    REQUIRE(client.send("GET /silent HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(fixture.closes(client));
    CHECK(client.received().ends_with("\r\n\r\n"));
}

TEST_CASE("http: an answer as long as a file has its length, or an end that says that it is whole", "[host][http]") {
    Fixture fixture;
    const auto body_of = [&](const std::string& path) {
        UnixClient client(fixture.path);
        REQUIRE(client.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"));
        CHECK(fixture.closes(client));
        const auto& all = client.received();
        return all.substr(all.find("\r\n\r\n") + 4);
    };
    CHECK(body_of("/file") == "one four");   // it has grown since its length was told
    CHECK(body_of("/short") == "one");       // of 8: the client knows that it is not all
    CHECK(body_of("/list") == "3\r\none\r\n5\r\nthree\r\n0\r\n\r\n");
    CHECK(body_of("/broken") == "3\r\none\r\n");
}

}  // namespace vigil::http
