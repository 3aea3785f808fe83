// The doors and what is behind them: what passes, what waits, what is refused.
#include "tests/unit/host/ports/doors.hpp"

using namespace std::chrono_literals;
namespace vigil::ports {

using namespace vigil::ports::test_doors;

TEST_CASE("ports: requests go to the service one after the other on one connection", "[host][ports]") {
    Doors doors;
    UnixClient client(doors.path);
    REQUIRE(client.send(get_web + get_web));
    auto& first = doors.service(0);
    CHECK(first.heard().starts_with("GET /page HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: unix\r\n"));
    first.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: 5\r\n\r\nfirst");
    CHECK(doors.receives(client, "first"));
    CHECK(client.received().find("Keep-Alive") == std::string::npos);
    doors.service(1).say("HTTP/1.1 404 Gone\r\nContent-Length: 6\r\n\r\nsecond");
    CHECK(doors.receives(client, "second"));
    CHECK_FALSE(client.closed());
    CHECK(pump_until(doors.io, [&] { return doors.counters().served == 2; }));
    CHECK(doors.counters().waited == 0);
}

TEST_CASE("ports: bodies pass as they are framed, trailers and interim answers too", "[host][ports]") {
    Doors doors;
    UnixClient client(doors.path);
    REQUIRE(client.send(post("Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\nExpect: 100-continue\r\n")));
    auto& service = doors.service(0);
    CHECK(service.heard().find("Expect: 100-continue\r\n") != std::string::npos);
    service.say("HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(doors.receives(client, "HTTP/1.1 100 Continue\r\n\r\n"));
    const std::string body = "4\r\nwiki\r\n0\r\nX-Sum: 1\r\n\r\n";
    for (const char byte : body) REQUIRE(client.send({&byte, 1}));
    doors.service(0, body);
    service.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    CHECK(doors.receives(client, "3\r\none\r\n"));   // at once: nothing is held back
    service.say("0\r\nX-Sum: 2\r\n\r\n");
    CHECK(doors.receives(client, "0\r\nX-Sum: 2\r\n\r\n"));
    REQUIRE(client.send("HEAD /v1/instances/demo/ports/8080/ HTTP/1.1\r\nHost: x\r\n\r\n"));
    doors.service(1).say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    CHECK(doors.receives(client, "Content-Length: 5\r\n"));
    CHECK(pump_until(doors.io, [&] { return doors.counters().served == 2; }));
    CHECK_FALSE(client.closed());
}

TEST_CASE("ports: what a service says behind its answer reaches nobody, and is not the next answer", "[host][ports]") {
    Doors doors;
    UnixClient client(doors.path);
    const std::string forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    std::string answer = "HTTP/1.1 200 OK\r\n";
    SECTION("of a stated length") { answer += "Content-Length: 4\r\n\r\ntrue"; }
    SECTION("in chunks") { answer += "Transfer-Encoding: chunked\r\n\r\n4\r\ntrue\r\n0\r\n\r\n"; }
    REQUIRE(client.send(get_web));
    doors.service(0).say(answer + forged);
    CHECK(doors.receives(client, "true"));
    REQUIRE(client.send(get_web));
    doors.service(1).say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond");
    CHECK(doors.receives(client, "second"));
    CHECK(client.received().find("forged") == std::string::npos);
}

TEST_CASE("ports: an answer without a length ends with the connection", "[host][ports]") {
    Doors doors;
    UnixClient client(doors.path);
    REQUIRE(client.send(get_web));
    auto& service = doors.service(0);
    service.say("HTTP/1.0 200 OK\r\n\r\nto the end");
    CHECK(doors.receives(client, "to the end"));
    CHECK(client.received().find("Connection: close") != std::string::npos);
    service.end();
    CHECK(doors.closes(client));
    CHECK(doors.counters().served == 1);
}

TEST_CASE("ports: an agreed upgrade becomes a relay of raw bytes, both ends with their own end", "[host][ports]") {
    Doors doors;
    UnixClient client(doors.path);
    REQUIRE(client.send("GET /v1/instances/demo/ports/8080/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly"));
    auto& service = doors.service(0);
    CHECK(service.heard().find("Connection: Upgrade\r\nUpgrade: websocket\r\n") != std::string::npos);
    service.say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nfrom the service");
    CHECK(doors.receives(client, "\r\n\r\nfrom the service"));
    CHECK(client.received().find("Upgrade: websocket") != std::string::npos);
    doors.service(0, "early");
    REQUIRE(client.send(std::string("\0\xff binary", 9)));
    doors.service(0, std::string("\0\xff binary", 9));
    CHECK(doors.counters().open_tunnels == 1);
    ::shutdown(client.fd(), SHUT_WR);
    CHECK(pump_until(doors.io, [&] { return service.ended(); }));
    service.say("last");
    service.end();
    CHECK(doors.receives(client, "last"));
    CHECK(doors.closes(client));
    CHECK_FALSE(service.gone());   // the guest has the last word
    service.end(Channel::control);
    CHECK(pump_until(doors.io, [&] { return service.gone(); }));
    CHECK(doors.counters().upgraded == 1);
    CHECK(doors.counters().open_tunnels == 0);
}

TEST_CASE("ports: a request that comes early waits for the service, and is told when that fails", "[host][ports]") {
    Doors doors;
    auto& web = test::add_service(doors.guests.vm, "web", ServiceState::starting, "http:8080");
    UnixClient client(doors.path);
    SECTION("it becomes ready") {
        REQUIRE(client.send(get_web));
        REQUIRE(pump_until(doors.io, [&] { return doors.bus.subscribers() == 1; }));
        doors.publish();   // something else happened
        doors.io.restart();
        doors.io.poll();
        CHECK(doors.guests.services.empty());
        web.state = ServiceState::ready;
        doors.publish();
        doors.service(0).say("HTTP/1.1 204 No\r\n\r\n");
        CHECK(doors.receives(client, "204 No"));
        CHECK(doors.counters().waited == 1);
        CHECK(doors.bus.subscribers() == 0);
    }
    SECTION("it fails") {
        REQUIRE(client.send(get_web));
        REQUIRE(pump_until(doors.io, [&] { return doors.bus.subscribers() == 1; }));
        web.state = ServiceState::failed;
        web.cause = protocol::make_cause(protocol::CauseCode::service_missing_binary, {{"path", "/usr/bin/web"}});
        doors.publish();
        CHECK(doors.receives(client, "HTTP/1.1 503"));
        CHECK(doors.receives(client, "\"code\":\"service.missing_binary\""));
        CHECK(refused(doors, "service.missing_binary") == 1);
        CHECK(doors.guests.services.empty());
    }
    SECTION("its time is up") {
        REQUIRE(client.send("GET /v1/instances/demo/ports/web/ HTTP/1.1\r\nHost: x\r\nPrefer: wait=0\r\n\r\n"));
        CHECK(doors.receives(client, "\"code\":\"port.not_ready\""));
        CHECK(refused(doors, "port.not_ready") == 1);
    }
    SECTION("the client leaves") {
        REQUIRE(client.send(get_web));
        REQUIRE(pump_until(doors.io, [&] { return doors.bus.subscribers() == 1; }));
        client.close();
        CHECK(pump_until(doors.io, [&] { return doors.counters().client_left == 1; }));
        CHECK(doors.bus.subscribers() == 0);
    }
}

TEST_CASE("ports: nobody behind the port, and services that misbehave, are answers with a cause", "[host][ports]") {
    Limits limits;
    limits.answer_deadline = 50ms;
    Doors doors(limits);
    UnixClient client(doors.path);
    std::string expected;
    SECTION("nothing listens") {
        doors.guests.refusal = Error(Errc::unavailable, "nothing in the VM listens on port 8080");
        REQUIRE(client.send(get_web));
        expected = "port.not_reached";
    }
    SECTION("it accepts and never answers") {
        REQUIRE(client.send(get_web));
        doors.service(0);
        expected = "service.not_answering";
    }
    SECTION("it closes without an answer") {
        REQUIRE(client.send(get_web));
        doors.service(0).end();
        expected = "\"protocol\"";
    }
    SECTION("it answers with two lengths") {
        REQUIRE(client.send(get_web));
        doors.service(0).say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc");
        expected = "\"protocol\"";
    }
    SECTION("it speaks something else") {
        REQUIRE(client.send(get_web));
        doors.service(0).say("SSH-2.0-x\r\n\r\n");
        expected = "\"protocol\"";
    }
    SECTION("it changes the protocol unasked") {
        REQUIRE(client.send(get_web));
        doors.service(0).say("HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
        expected = "\"protocol\"";
    }
    SECTION("its interim answers have no end") {
        REQUIRE(client.send(get_web));
        auto& service = doors.service(0);
        for (int i = 0; i < 20; ++i) service.say("HTTP/1.1 102 Wait\r\n\r\n");
        expected = "\"protocol\"";
    }
    SECTION("its head has no end") {
        REQUIRE(client.send(get_web));
        doors.service(0).say("HTTP/1.1 200 OK\r\nX: " + std::string(40'000, 'x'));
        expected = "\"protocol\"";
    }
    CHECK(doors.receives(client, expected));
    CHECK(doors.receives(client, "application/problem+json"));
}

TEST_CASE("ports: an answer that breaks off does not look whole", "[host][ports]") {
    Doors doors;
    UnixClient client(doors.path);
    REQUIRE(client.send(get_web));
    auto& service = doors.service(0);
    service.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    CHECK(doors.receives(client, "half"));
    SECTION("ended") { service.end(); }
    SECTION("broken") { service.break_off(); }
    CHECK(doors.closes(client));
    CHECK(doors.counters().guest_broke_off == 1);
    CHECK(doors.counters().served == 0);
}

TEST_CASE("ports: a request that two readers could take differently reaches no service", "[host][ports]") {
    const std::string bad[] = {post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
                               post("Content-Length: 3\r\nContent-Length: 3\r\n") + "abc",
                               post("Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n",
                               post("Transfer-Encoding : chunked\r\n") + "0\r\n\r\n",
                               post("X: a\r\n Transfer-Encoding: chunked\r\n"),
                               "GET /v1/instances/demo/ports/web/ HTTP/1.1\nHost: x\n\n",
                               "GET http://demo/v1/instances/demo/ports/web/ HTTP/1.1\r\nHost: x\r\n\r\n",
                               "GET /v1/instances/demo/ports/web/ HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"};
    for (const auto& request : bad) {
        CAPTURE(request);
        Doors doors;
        UnixClient client(doors.path);
        REQUIRE(client.send(request + get_web));
        CHECK(doors.receives(client, "HTTP/1.1 400"));
        CHECK(doors.closes(client));
        CHECK(doors.guests.services.empty());
        CHECK(refused(doors, "invalid") == 1);
    }
}

TEST_CASE("ports: a chunk that lies ends the request before more passes", "[host][ports]") {
    Doors doors;
    UnixClient client(doors.path);
    REQUIRE(client.send(post("Transfer-Encoding: chunked\r\n") + "3\r\nabcdef"));
    CHECK(doors.receives(client, "HTTP/1.1 400"));
    CHECK(doors.closes(client));
    CHECK(doors.guests.services.front().heard().find("def") == std::string::npos);
}

}  // namespace vigil::ports
