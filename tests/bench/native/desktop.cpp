// How fast a screen passes from the guest's stream to a browser's WebSocket, beside a socket without us: "bridge MB_PER_S", "direct MB_PER_S", a line a run, in turn;
// then "echo-bridge US", "echo-direct US" of small messages there and back. The source and the client are threads of their own; the bridge is the daemon's.
#include "host/desktop/server.hpp"
#include "shared/streams/chunk.hpp"
#include "tests/unit/host/ports/known_vm.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

namespace asio = boost::asio;
using namespace vigil;
using Time = std::chrono::steady_clock;

constexpr std::size_t block_bytes = 64 * 1024, echo_bytes = 20;

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

void send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) give_up("send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

UniqueFd connect_to(std::uint16_t port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) give_up("connect");
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

/// Payload bytes of a WebSocket's frames, or bytes as they are.
class Client {
public:
  Client(UniqueFd socket, bool has_frames) : socket_(std::move(socket)), has_frames_(has_frames), block_(1 << 18) {}
  int fd() const { return socket_.get(); }
  void expect_head() {
    for (std::string head; !head.ends_with("\r\n\r\n");) {
      char byte = 0;
      if (::recv(fd(), &byte, 1, 0) != 1) give_up("handshake");
      head += byte;
    }
  }
  void read(std::uint64_t payload) {
    while (payload > 0) {
      if (left_ == 0 && has_frames_) left_ = next_frame();
      if (at_ == end_) refill();
      const auto part = std::min<std::uint64_t>({end_ - at_, payload, has_frames_ ? left_ : payload});
      at_ += part;
      payload -= part;
      if (has_frames_) left_ -= part;
    }
  }

private:
  void refill() {
    const ssize_t got = ::recv(fd(), block_.data(), block_.size(), 0);
    if (got <= 0) give_up("recv");
    at_ = 0;
    end_ = static_cast<std::size_t>(got);
  }
  unsigned char byte() {
    if (at_ == end_) refill();
    return static_cast<unsigned char>(block_[at_++]);
  }
  std::uint64_t next_frame() {
    if ((byte() & 0x0f) != 2) give_up("a frame that is not binary");
    std::uint64_t size = byte();
    int more = 0;
    if (size == 126) more = 2;
    if (size == 127) more = 8;
    if (more != 0) size = 0;
    for (; more > 0; --more) size = size << 8 | byte();
    return size;
  }
  UniqueFd socket_;
  bool has_frames_;
  std::vector<char> block_;
  std::size_t at_ = 0, end_ = 0;
  std::uint64_t left_ = 0;
};

/// `chunked`: as the guest's agent frames a stream. Sends `bytes`, then gives back what it hears until the other side ends.
void be_screen(int socket, std::uint64_t bytes, bool chunked) {
  std::string block;
  if (chunked)
    streams::append_chunks(block, streams::Channel::data, std::string(block_bytes, 'x'));
  else
    block.assign(block_bytes, 'x');
  for (std::uint64_t sent = 0; sent < bytes; sent += block_bytes) send_all(socket, block);
  char heard[4096];
  streams::ChunkReader chunks;
  for (ssize_t got = 0; (got = ::recv(socket, heard, sizeof heard, 0)) > 0;) {
    const std::string_view part(heard, static_cast<std::size_t>(got));
    if (!chunked) {
      send_all(socket, part);
      continue;
    }
    chunks.feed(part);
    for (auto chunk = chunks.next(); chunk && *chunk; chunk = chunks.next()) {
      std::string back;
      streams::append_chunks(back, streams::Channel::data, (*chunk)->bytes);
      if (!(*chunk)->is_end()) send_all(socket, back);
    }
  }
}

class OneVm final : public ports::Guests {
public:
  explicit OneVm(std::uint64_t bytes) : bytes_(bytes) {
    vm.run->all_services_known = true;
    test::add_service(vm, "display", protocol::ServiceState::ready, "rfb:5901");
  }
  ~OneVm() override {
    for (auto& each : screens_) each.join();
  }
  Result<InstanceId> find_vm(std::string_view, std::optional<uid_t>) const override { return vm.id; }
  const machine::VmState* state_of(const InstanceId&) const override { return &vm; }
  void open_port(const InstanceId&, std::uint16_t, std::string, std::function<void(Result<streams::GuestStream>)> done) override {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) give_up("socketpair");
    streams::GuestStream stream;
    stream.fd.reset(ends[0]);
    screens_.emplace_back([end = ends[1], bytes = bytes_] {
      const UniqueFd socket(end);
      be_screen(socket.get(), bytes, true);
    });
    done(std::move(stream));
  }
  machine::VmState vm = test::running_vm();

private:
  std::uint64_t bytes_;
  std::vector<std::thread> screens_;
};

/// One run: the flood, then echoes.
void measure(Client& client, std::uint64_t bytes, const char* name, std::string_view message) {
  const auto began = Time::now();
  client.read(bytes);
  const double seconds = std::chrono::duration<double>(Time::now() - began).count();
  std::printf("%s %.1f\n", name, static_cast<double>(bytes) / 1e6 / seconds);
  for (int i = 0; i < 200; ++i) {
    const auto sent = Time::now();
    send_all(client.fd(), message);
    client.read(echo_bytes);
    std::printf("echo-%s %.1f\n", name, std::chrono::duration<double, std::micro>(Time::now() - sent).count());
  }
  std::fflush(stdout);
}

void run_direct(std::uint64_t bytes) {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  socklen_t size = sizeof address;
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(listener.get(), 1) != 0) give_up("listen");
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  std::thread screen([&] {
    const UniqueFd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    be_screen(socket.get(), bytes, false);
  });
  {
    Client client(connect_to(ntohs(address.sin_port)), false);
    measure(client, bytes, "direct", std::string(echo_bytes, 'e'));
  }
  screen.join();
}

void run_bridge(desktop::Server& server, const InstanceId& vm, const std::string& ticket, std::uint64_t bytes) {
  const auto port = server.address().substr(server.address().rfind(':') + 1);
  const auto host = vm.value() + ".localhost:" + port;
  Client client(connect_to(static_cast<std::uint16_t>(std::stoi(port))), true);
  send_all(
      client.fd(),
      "GET /rfb?ticket=" + ticket + " HTTP/1.1\r\nHost: " + host + "\r\nOrigin: http://" + host +
          "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  client.expect_head();
  // One masked frame; a mask of zeros leaves the bytes as they are.
  std::string message = "\x82";
  message += static_cast<char>(0x80 | echo_bytes);
  message += std::string(4, '\0') + std::string(echo_bytes, 'e');
  measure(client, bytes, "bridge", message);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: vigil-desktop-bench MIB RUNS\n");
    return 2;
  }
  const std::uint64_t bytes = static_cast<std::uint64_t>(std::atoi(argv[1])) << 20;
  const test::TemporaryDirectory directory;
  asio::io_context io;
  SystemClock clock;
  OneVm guests(bytes);
  events::EventBus bus([](auto, const auto&, auto) { return Result<std::vector<events::Published>>(std::vector<events::Published>()); }, 0);
  desktop::Server server(io, guests, bus, clock, {"127.0.0.1:0", (directory.path() / "key").string(), "", {}});
  if (const auto listening = server.listen(); !listening) {
    std::fprintf(stderr, "%s\n", listening.error().message().c_str());
    return 1;
  }
  std::vector<std::string> tickets;
  for (int i = 0; i < std::atoi(argv[2]); ++i) {
    const auto url = server.invite(guests.vm.id)->url;
    tickets.push_back(url.substr(url.find("ticket=") + 7));
  }
  std::thread client([&] {
    for (const auto& ticket : tickets) {
      run_bridge(server, guests.vm.id, ticket, bytes);
      run_direct(bytes);
    }
    asio::post(io, [&] { asio::co_spawn(io, server.stop(), [&](std::exception_ptr) { io.stop(); }); });
  });
  io.run();
  client.join();
  return 0;
}
