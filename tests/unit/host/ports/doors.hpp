// The doors of ports for tests: clients are raw bytes, guests are the other end of a stream that the test holds.
#pragma once

#include "host/ports/server.hpp"
#include "shared/streams/control.hpp"
#include "tests/unit/host/ports/known_vm.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <boost/asio/co_spawn.hpp>

#include <catch2/catch_test_macros.hpp>

#include <deque>
#include <memory>
#include <string>

namespace vigil::ports::test_doors {

namespace asio = boost::asio;
using protocol::ServiceState;
using streams::Channel;
using test::pump_until;
using test::UnixClient;

/// The service's side of one stream: what it hears, what it says.
class Service {
  public:
    explicit Service(UniqueFd fd) : fd_(std::move(fd)) {}
    const std::string& heard() {
        char block[65536];
        for (ssize_t count = 0; (count = ::recv(fd_.get(), block, sizeof block, MSG_DONTWAIT)) >= 0;) {
            if (count == 0) {
                gone_ = true;
                break;
            }
            chunks_.feed({block, static_cast<std::size_t>(count)});
        }
        for (auto chunk = chunks_.next(); chunk && *chunk; chunk = chunks_.next()) {
            if ((*chunk)->channel == Channel::data && (*chunk)->is_end()) ended_ = true;
            if ((*chunk)->channel == Channel::data) heard_ += (*chunk)->bytes;
        }
        return heard_;
    }
    bool ended() { return heard(), ended_; }
    bool gone() { return heard(), gone_; }
    void say(std::string_view bytes) {
        std::string chunks;
        streams::append_chunks(chunks, Channel::data, bytes);
        REQUIRE(::send(fd_.get(), chunks.data(), chunks.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(chunks.size()));
    }
    void end(Channel channel = Channel::data) {
        std::string chunks;
        streams::append_end(chunks, channel);
        REQUIRE(::send(fd_.get(), chunks.data(), chunks.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(chunks.size()));
    }
    /// As much as is taken, of a body without end; how much that was.
    std::size_t flood() {
        std::string chunk;
        streams::append_chunks(chunk, Channel::data, std::string(32 * 1024, 'x'));
        const ssize_t sent = ::send(fd_.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        return sent > 0 ? static_cast<std::size_t>(sent) : 0;
    }
    void break_off() { fd_.reset(); }

  private:
    UniqueFd fd_;
    streams::ChunkReader chunks_;
    std::string heard_;
    bool ended_ = false, gone_ = false;
};

class FakeGuests final : public Guests {
  public:
    Result<InstanceId> find_vm(std::string_view name, std::optional<uid_t> uid) const override {
        asked_by = uid;
        if (name != "demo") return Error(Errc::not_found, "there is no such instance");
        return vm.id;
    }
    const machine::VmState* state_of(const InstanceId&) const override { return &vm; }
    void open_port(const InstanceId&, std::uint16_t, std::string first, std::function<void(Result<streams::GuestStream>)> done) override {
        if (refusal) return done(*refusal);
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        streams::GuestStream stream;
        stream.fd.reset(ends[0]);
        services.emplace_back(UniqueFd(ends[1]));
        std::string chunks;
        if (!first.empty()) streams::append_chunks(chunks, Channel::data, first);
        REQUIRE(::send(stream.fd.get(), chunks.data(), chunks.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(chunks.size()));
        done(std::move(stream));
    }
    machine::VmState vm = test::running_vm();
    std::optional<Error> refusal;
    mutable std::optional<uid_t> asked_by;
    std::deque<Service> services;
};

struct Doors {
    test::TemporaryDirectory directory;
    asio::io_context io;
    FakeGuests guests;
    events::EventBus bus{[](auto, const auto&, auto) { return Result<std::vector<events::Published>>(std::vector<events::Published>()); }, 0};
    std::string path = (directory.path() / "ports").string();
    std::unique_ptr<Server> server;

    explicit Doors(Limits limits = {}, const std::string& tcp = "") {
        guests.vm.run->all_services_known = true;
        test::add_service(guests.vm, "web", ServiceState::ready, "http:8080");
        server = std::make_unique<Server>(io, guests, bus, ServerOptions{path, 0600, tcp, limits});
        REQUIRE(server->listen().has_value());
    }
    ~Doors() {
        bool stopped = false;
        asio::co_spawn(io, server->stop(), [&](std::exception_ptr) { stopped = true; });
        CHECK(pump_until(io, [&] { return stopped; }));
    }
    void publish() {
        auto event = std::make_shared<machine::EncodedEvent>();
        event->seq = bus.last() + 1;
        event->instance = guests.vm.id;
        bus.publish({event});
    }
    bool receives(UnixClient& client, const std::string& text) {
        return pump_until(io, [&] { return client.received().find(text) != std::string::npos; });
    }
    bool closes(UnixClient& client) {
        return pump_until(io, [&] { return client.closed(); });
    }
    /// The next stream that was opened and has heard `text`.
    Service& service(std::size_t index, const std::string& text = "\r\n\r\n") {
        REQUIRE(pump_until(io, [&] { return guests.services.size() > index && guests.services[index].heard().find(text) != std::string::npos; }));
        return guests.services[index];
    }
    const Counters& counters() const { return server->counters(); }
};

inline const std::string get_web = "GET /v1/instances/demo/ports/web/page HTTP/1.1\r\nHost: x\r\n\r\n";

inline std::string post(const std::string& fields) { return "POST /v1/instances/demo/ports/8080/ HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n"; }

inline std::uint64_t refused(const Doors& doors, const std::string& code) {
    const auto found = doors.counters().refused.find(code);
    return found == doors.counters().refused.end() ? 0 : found->second;
}

}  // namespace vigil::ports::test_doors
