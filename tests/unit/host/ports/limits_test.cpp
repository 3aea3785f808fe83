// Slow, half-open and too many clients; the end of the server; the TCP door.
#include "tests/unit/host/ports/doors.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

using namespace std::chrono_literals;
namespace vigil::ports {

using namespace vigil::ports::test_doors;

TEST_CASE("ports: slow ends hold up their own transfer alone, and little memory", "[host][ports]") {
    Limits limits;
    limits.write_deadline = 300ms;
    limits.body_deadline = 200ms;
    Doors doors(limits);
    UnixClient slow(doors.path);
    SECTION("a client that does not read") {
        REQUIRE(slow.send(get_web));
        auto& service = doors.service(0);
        service.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        std::size_t taken = 0;
        CHECK(pump_until(doors.io, [&] {
            taken += service.flood();
            return doors.counters().stalled == 1;
        }));
        CHECK(taken < 4'000'000);   // what the sockets' buffers and two blocks hold
    }
    SECTION("a service that does not read") {
        REQUIRE(slow.send(post("Content-Length: 1000000000\r\n")));
        std::size_t sent = 0;
        const std::string block(32 * 1024, 'x');
        CHECK(pump_until(doors.io, [&] {
            const ssize_t part = ::send(slow.fd(), block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (part > 0) sent += static_cast<std::size_t>(part);
            return refused(doors, "service.not_answering") == 1;
        }));
        CHECK(sent < 4'000'000);
    }
    SECTION("a client that does not send its body") {
        REQUIRE(slow.send(post("Content-Length: 10\r\n") + "abc"));
        CHECK(doors.receives(slow, "HTTP/1.1 408"));
    }
    UnixClient other(doors.path);
    REQUIRE(other.send(get_web));
    const auto index = doors.guests.services.size();
    doors.service(index).say("HTTP/1.1 204 No\r\n\r\n");
    CHECK(doors.receives(other, "204 No"));
}

TEST_CASE("ports: a client that leaves while its service does not read frees its place", "[host][ports]") {
    Doors doors;   // the service would have two minutes
    auto leaving = std::make_unique<UnixClient>(doors.path);
    REQUIRE(leaving->send(post("Content-Length: 1000000000\r\n")));
    const std::string block(32 * 1024, 'x');
    doors.service(0);
    int stood_still = 0;
    REQUIRE(pump_until(doors.io, [&] {   // until nothing moves: the service's buffers are full, and ours
        const ssize_t part = ::send(leaving->fd(), block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        stood_still = part > 0 ? 0 : stood_still + 1;
        return stood_still == 100;
    }));
    leaving.reset();
    CHECK(pump_until(doors.io, [&] { return doors.counters().client_left == 1; }));
    CHECK(doors.service(0).gone());
    CHECK(pump_until(doors.io, [&] { return doors.counters().open_connections == 0; }));
}

TEST_CASE("ports: half-open clients make room for those who ask", "[host][ports]") {
    Limits limits;
    limits.max_connections = 4;
    Doors doors(limits);
    std::vector<std::unique_ptr<UnixClient>> half_open;
    for (int i = 0; i < 40; ++i) {
        half_open.push_back(std::make_unique<UnixClient>(doors.path));
        half_open.back()->send("GET /v1/inst");
        doors.io.restart();
        doors.io.poll();
    }
    CHECK(doors.counters().open_connections <= 5);
    UnixClient client(doors.path);
    REQUIRE(client.send(get_web));
    doors.service(0).say("HTTP/1.1 204 No\r\n\r\n");
    CHECK(doors.receives(client, "204 No"));
    CHECK(doors.counters().turned_away >= 35);
}

TEST_CASE("ports: when all connections are at work the next is turned away with a word", "[host][ports]") {
    Limits limits;
    limits.max_connections = 1;
    Doors doors(limits);
    UnixClient busy(doors.path);
    REQUIRE(busy.send(get_web));
    doors.service(0);
    UnixClient later(doors.path);
    CHECK(doors.receives(later, "HTTP/1.1 503"));
    CHECK(doors.closes(later));
}

TEST_CASE("ports: a request's head has its time and its size", "[host][ports]") {
    Limits limits;
    limits.head_deadline = 50ms;
    Doors doors(limits);
    UnixClient client(doors.path);
    std::string status;
    SECTION("time") {
        client.send("GET /v1");
        status = "408";
    }
    SECTION("size") {
        client.send("GET / HTTP/1.1\r\nX: " + std::string(40'000, 'x'));
        status = "431";
    }
    SECTION("version") {
        client.send("GET / HTTP/3.0\r\n\r\n");
        status = "505";
    }
    CHECK(doors.receives(client, "HTTP/1.1 " + status));
    CHECK(doors.closes(client));
}

TEST_CASE("ports: a stop closes clients and services in the middle of what they do", "[host][ports]") {
    auto doors = std::make_unique<Doors>();
    UnixClient transferring(doors->path), tunnelled(doors->path), waiting(doors->path), idle(doors->path);
    REQUIRE(transferring.send(post("Content-Length: 10\r\n") + "abc"));
    doors->service(0, "abc");
    REQUIRE(tunnelled.send("GET /v1/instances/demo/ports/8080/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: y\r\n\r\n"));
    doors->service(1).say("HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\n");
    CHECK(doors->receives(tunnelled, "101"));
    test::add_service(doors->guests.vm, "web", ServiceState::starting, "http:8080");
    REQUIRE(waiting.send(get_web));
    REQUIRE(pump_until(doors->io, [&] { return doors->bus.subscribers() == 1; }));
    bool stopped = false;
    asio::co_spawn(doors->io, doors->server->stop(), [&](std::exception_ptr) { stopped = true; });
    CHECK(pump_until(doors->io, [&] { return stopped; }));
    for (auto* const client : {&transferring, &tunnelled, &waiting, &idle}) CHECK(client->closed());
    for (auto& service : doors->guests.services) CHECK(service.gone());
}

TEST_CASE("ports: the TCP door opens to the loopback alone, and to this machine's names alone", "[host][ports]") {
    for (const auto* address : {"0.0.0.0:0", "10.0.0.1:80", "[::]:0", "localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "[::1]"}) {
        CAPTURE(address);
        Doors doors;
        Server refused_server(doors.io, doors.guests, doors.bus, ServerOptions{doors.path + "2", 0600, address, {}});
        CHECK(refused_server.listen().error().code() == Errc::invalid);
        bool stopped = false;
        asio::co_spawn(doors.io, refused_server.stop(), [&](std::exception_ptr) { stopped = true; });
        CHECK(pump_until(doors.io, [&] { return stopped; }));
    }
    Doors doors({}, "127.0.0.1:0");
    const auto port = std::stoi(doors.server->tcp_address().substr(10));
    const auto ask = [&](const std::string& request) {
        UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::send(fd.get(), request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
        std::string heard;
        CHECK(pump_until(doors.io, [&] {
            char block[4096];
            const ssize_t count = ::recv(fd.get(), block, sizeof block, MSG_DONTWAIT);
            if (count > 0) heard.append(block, static_cast<std::size_t>(count));
            return count == 0 || !doors.guests.services.empty();
        }));
        return heard;
    };
    CHECK(ask("GET /v1/instances/demo/ports/8080/ HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 421"));
    CHECK(doors.guests.services.empty());
    ask("GET / HTTP/1.1\r\nHost: web--demo.localhost:" + std::to_string(port) + "\r\n\r\n");
    CHECK(doors.service(0).heard().find("X-Forwarded-For: 127.0.0.1\r\n") != std::string::npos);
}

}  // namespace vigil::ports
