// The door to desktops for tests: browsers are raw bytes on the loopback, the VM's VNC server is the other end of a stream that the test holds.
#pragma once

#include "host/desktop/server.hpp"
#include "tests/unit/host/ports/doors.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <fstream>

namespace vigil::desktop::test_door {

namespace asio = boost::asio;
using ports::test_doors::Service;
using protocol::ServiceState;
using test::pump_until;

struct TestClock final : Clock {
  UnixUs now = 1'800'000'000'000'000;
  MonoUs mono_us() const override { return now; }
  UnixUs unix_us() const override { return now; }
};

/// Guests that may also leave a dial without an answer.
struct DesktopGuests final : ports::Guests {
  using Done = std::function<void(Result<streams::GuestStream>)>;
  Result<InstanceId> find_vm(std::string_view name, std::optional<uid_t> uid) const override { return answering.find_vm(name, uid); }
  const machine::VmState* state_of(const InstanceId&) const override { return &vm; }
  void open_port(const InstanceId& id, std::uint16_t port, std::string first, Done done) override {
    if (is_silent) return unanswered.push_back(std::move(done));
    answering.refusal = refusal;
    answering.open_port(id, port, std::move(first), std::move(done));
  }
  ports::test_doors::FakeGuests answering;
  machine::VmState vm = test::running_vm();
  std::deque<Service>& services = answering.services;
  std::optional<Error> refusal;
  bool is_silent = false;
  std::vector<Done> unanswered;
};

/// A frame of a WebSocket, as a server sends it: never masked.
struct Frame {
  int opcode = 0;
  std::string payload;
  int close_code() const {
    return payload.size() < 2 ? 0 : (static_cast<unsigned char>(payload[0]) << 8) + static_cast<unsigned char>(payload[1]);
  }
  std::string close_reason() const { return payload.size() < 2 ? "" : payload.substr(2); }
};

class Browser {
public:
  explicit Browser(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  void send(std::string_view bytes) {
    REQUIRE(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  /// Masked, as a client must; payloads of less than 64 KiB.
  void send_frame(int opcode, std::string_view payload) {
    std::string frame(1, static_cast<char>(0x80 | opcode));
    if (payload.size() < 126) {
      frame += static_cast<char>(0x80 | payload.size());
    } else {
      frame += static_cast<char>(0x80 | 126);
      frame += static_cast<char>(payload.size() >> 8);
      frame += static_cast<char>(payload.size() & 0xff);
    }
    constexpr std::string_view mask = "\x11\x22\x33\x44";
    frame += mask;
    for (std::size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ mask[i % 4]);
    send(frame);
  }
  const std::string& received() {
    char block[65536];
    for (ssize_t count = 0; (count = ::recv(fd_.get(), block, sizeof block, MSG_DONTWAIT)) >= 0;) {
      if (count == 0) {
        closed_ = true;
        break;
      }
      received_.append(block, static_cast<std::size_t>(count));
    }
    return received_;
  }
  bool closed() { return received(), closed_; }
  /// The next whole frame, once the answer to the handshake has been taken.
  std::optional<Frame> frame() {
    received();
    if (received_.size() < 2) return std::nullopt;
    std::size_t at = 2, size = static_cast<unsigned char>(received_[1]);
    const std::size_t wide = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (received_.size() < 2 + wide) return std::nullopt;
    if (wide != 0) size = 0;
    for (; at < 2 + wide; ++at) size = size << 8 | static_cast<unsigned char>(received_[at]);
    if (received_.size() < at + size) return std::nullopt;
    Frame frame{received_[0] & 0x0f, received_.substr(at, size)};
    received_.erase(0, at + size);
    return frame;
  }
  bool take_handshake() {
    const auto end = received().find("\r\n\r\n");
    if (end == std::string::npos || !received_.starts_with("HTTP/1.1 101")) return false;
    received_.erase(0, end + 4);
    return true;
  }
  void leave() { fd_.reset(); }

private:
  UniqueFd fd_;
  std::string received_;
  bool closed_ = false;
};

struct Door {
  test::TemporaryDirectory directory;
  asio::io_context io;
  TestClock clock;
  DesktopGuests guests;
  events::EventBus bus{[](auto, const auto&, auto) { return Result<std::vector<events::Published>>(std::vector<events::Published>()); }, 0};
  std::unique_ptr<Server> server;

  explicit Door(Limits limits = {}) {
    guests.vm.run->all_services_known = true;
    for (auto& stage : guests.vm.run->stages) stage.progress = machine::StageProgress::done;
    test::add_service(guests.vm, "display", ServiceState::ready, "rfb:5901");
    std::filesystem::create_directories(directory.path() / "novnc/core");
    std::ofstream(directory.path() / "novnc/core/rfb.js") << "export default class {}\n";
    std::ofstream(directory.path() / "novnc/secret.txt") << "not a script\n";
    open(limits);
  }
  ~Door() { close(); }
  void open(Limits limits = {}) {
    ServerOptions options{"127.0.0.1:0", (directory.path() / "desktop.key").string(), (directory.path() / "novnc").string(), limits};
    server = std::make_unique<Server>(io, guests, bus, clock, std::move(options));
    const auto listening = server->listen();
    INFO((listening ? "" : listening.error().message()));
    REQUIRE(listening.has_value());
  }
  void close() {
    if (!server) return;
    bool stopped = false;
    asio::co_spawn(io, server->stop(), [&](std::exception_ptr) { stopped = true; });
    CHECK(pump_until(io, [&] { return stopped; }));
    server.reset();
  }
  std::uint16_t port() const { return static_cast<std::uint16_t>(std::stoi(server->address().substr(server->address().rfind(':') + 1))); }
  std::string host() const { return guests.vm.id.value() + ".localhost:" + std::to_string(port()); }
  std::string ticket() {
    const auto invitation = server->invite(guests.vm.id);
    REQUIRE(invitation.has_value());
    return invitation->url.substr(invitation->url.find("ticket=") + 7);
  }
  void publish() {
    auto event = std::make_shared<machine::EncodedEvent>();
    event->seq = bus.last() + 1;
    event->instance = guests.vm.id;
    bus.publish({event});
  }
  std::string ask(const std::string& path, const std::string& fields = "", const std::string& host_field = "") {
    Browser browser(port());
    browser.send("GET " + path + " HTTP/1.1\r\nHost: " + (host_field.empty() ? host() : host_field) + "\r\nConnection: close\r\n" + fields +
                 "\r\n");
    CHECK(pump_until(io, [&] { return browser.closed(); }));
    return browser.received();
  }
  /// "Cookie: ...\r\n", as a browser that was let in sends it.
  std::string cookie() {
    const auto answer = ask("/?ticket=" + ticket());
    const auto at = answer.find("Set-Cookie: ");
    REQUIRE(at != std::string::npos);
    const auto value = answer.substr(at + 12, answer.find(';', at) - at - 12);
    return "Cookie: " + value + "\r\n";
  }
  std::string upgrade(const std::string& fields, const std::string& query = "") const {
    return "GET /rfb" + query + " HTTP/1.1\r\nHost: " + host() +
           "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://" + host() + "\r\n" + fields + "\r\n";
  }
  std::unique_ptr<Browser> websocket(const std::string& fields, const std::string& query = "") {
    auto browser = std::make_unique<Browser>(port());
    browser->send(upgrade(fields, query));
    REQUIRE(pump_until(io, [&] { return browser->take_handshake(); }));
    return browser;
  }
  Frame next_frame(Browser& browser) {
    std::optional<Frame> frame;
    CHECK(pump_until(io, [&] { return (frame = browser.frame()).has_value(); }));
    return frame.value_or(Frame{});
  }
  Service& screen(std::size_t index = 0) {
    REQUIRE(pump_until(io, [&] { return guests.services.size() > index; }));
    return guests.services[index];
  }
};

}  // namespace vigil::desktop::test_door
