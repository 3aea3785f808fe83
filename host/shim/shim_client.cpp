#include "host/shim/shim_client.hpp"

#include "host/async/notification.hpp"
#include "host/async/read_some.hpp"
#include "host/shim/inherited.hpp"
#include "host/shim/shim_wire.hpp"
#include "shared/base/unique_fd.hpp"
#include "shared/framing/frame.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <map>
#include <memory>

namespace vigil::shim {

namespace asio = boost::asio;

namespace {

constexpr int above_targets = 100;   // so that no dup2 of the child hits what it still needs
constexpr std::size_t max_birth_bytes = 64 << 10;

Result<UniqueFd> memory_file(const std::string& text) {
  const UniqueFd made(::memfd_create("vigil-shim-spec", MFD_CLOEXEC));
  if (!made) return Error::from_errno("memfd_create", errno);
  if (::write(made.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return Error::from_errno("write the shim's spec", errno);
  ::lseek(made.get(), 0, SEEK_SET);
  UniqueFd lifted(::fcntl(made.get(), F_DUPFD_CLOEXEC, above_targets));
  if (!lifted) return Error::from_errno("duplicate a descriptor", errno);
  return lifted;
}

/// posix_spawn's two attribute objects with one owner.
struct SpawnPlan {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
};

Result<pid_t> spawn(const std::string& program, int spec, int report) {
  SpawnPlan plan;
  for (const int standard : {0, 1}) ::posix_spawn_file_actions_addopen(&plan.actions, standard, "/dev/null", O_RDWR, 0);
  ::posix_spawn_file_actions_adddup2(&plan.actions, spec, spec_fd);       // stderr stays the daemon's: the shim writes there only when it cannot start
  ::posix_spawn_file_actions_adddup2(&plan.actions, report, report_fd);
  ::posix_spawn_file_actions_addclosefrom_np(&plan.actions, report_fd + 1);
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&plan.attributes, &all);
  ::posix_spawnattr_setsigmask(&plan.attributes, &none);
  ::posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  std::string name = program;
  char* const argv[] = {name.data(), nullptr};
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* const environment[] = {path, nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, program.c_str(), &plan.actions, &plan.attributes, argv, environment);
  if (error != 0) return Error::from_errno("start " + program, error);
  return pid;
}

/// Everything until the other side closes. Cancellation flies through as an exception.
asio::awaitable<std::string> read_to_end(asio::posix::stream_descriptor& pipe) {
  std::string text;
  auto buffer = asio::dynamic_buffer(text, max_birth_bytes);
  const auto token = asio::as_tuple(asio::use_awaitable);
  const auto [error, count] = co_await asio::async_read(pipe, buffer, token);
  if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
  co_return text;
}

}  // namespace

asio::awaitable<Result<ProcessIdentity>> spawn_shim(std::string program, ShimSpec spec) {
  const auto executor = co_await asio::this_coro::executor;
  const std::string text = encode_shim_spec(spec);
  CO_TRY(spec_file, memory_file(text));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) co_return Error::from_errno("pipe", errno);
  asio::posix::stream_descriptor report_out(executor, ends[0]);
  UniqueFd report_in(::fcntl(ends[1], F_DUPFD_CLOEXEC, above_targets));
  ::close(ends[1]);
  CO_TRY(child, spawn(program, spec_file.get(), report_in.get()));
  report_in.reset();
  // The direct child ends as soon as it has forked, so waiting for it does not wait.
  std::string birth;
  try {
    birth = co_await read_to_end(report_out);
  } catch (...) {
    ::waitpid(child, nullptr, 0);
    throw;
  }
  ::waitpid(child, nullptr, 0);
  co_return parse_birth(birth);
}

namespace {

/// Dials of which the shim has not told yet.
class PendingDials {
public:
  struct Dialled {
    explicit Dialled(asio::any_io_executor executor) : told(std::move(executor)) {}
    async::Notification told;
    Result<UniqueFd> outcome = Error(Errc::unavailable, "");
  };

  std::pair<std::uint64_t, std::shared_ptr<Dialled>> add(asio::any_io_executor executor) {
    auto dialled = std::make_shared<Dialled>(std::move(executor));
    open_[++last_] = dialled;
    return {last_, std::move(dialled)};
  }
  void settle(std::uint64_t id, Result<UniqueFd> outcome) {
    const auto found = open_.find(id);
    if (found == open_.end()) return;   // given up: the socket closes
    found->second->outcome = std::move(outcome);
    found->second->told.notify();
    open_.erase(found);
  }
  void forget(std::uint64_t id) { open_.erase(id); }
  void fail_all(const Error& error) {
    while (!open_.empty()) settle(open_.begin()->first, error);
  }

private:
  std::map<std::uint64_t, std::shared_ptr<Dialled>> open_;
  std::uint64_t last_ = 0;
};

/// However the wait for a dial ends, the caller's cancellation included.
struct ForgetDial {
  std::shared_ptr<PendingDials> dials;
  std::uint64_t id;
  ~ForgetDial() { dials->forget(id); }
};

class Connection final : public ShimConnection {
public:
  explicit Connection(asio::local::stream_protocol::socket socket) : socket_(std::move(socket)) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() override { dials_->fail_all(Error(Errc::unavailable, "the connection to the shim is closed")); }

  asio::awaitable<Result<ShimEvent>> next() override {
    while (true) {
      const auto payload = reader_.next();
      if (!payload) co_return end_with(payload.error());
      if (*payload) {
        auto event = parse_event(**payload);
        const auto* const answered = event ? std::get_if<Answered>(&*event) : nullptr;
        if (answered == nullptr) co_return std::move(event);
        settle(*answered);
        continue;
      }
      const auto [error] = co_await socket_.async_wait(asio::local::stream_protocol::socket::wait_read, asio::as_tuple(asio::use_awaitable));
      if (error == asio::error::operation_aborted && socket_.is_open()) throw boost::system::system_error(error);   // our caller was cancelled
      if (error) co_return end_with(Error(Errc::unavailable, "the shim is gone: " + error.message()));
      if (const auto fed = receive(); !fed) co_return end_with(fed.error());
    }
  }

  UniqueFd take_passed() override {
    if (passed_.empty()) return {};
    UniqueFd socket = std::move(passed_.front());
    passed_.pop_front();
    return socket;
  }

  asio::awaitable<Result<UniqueFd>> dial(std::uint32_t port) override {
    auto [id, dialled] = dials_->add(socket_.get_executor());
    const ForgetDial forget{dials_, id};
    CO_TRY_VOID(sent, send(Command(Dial{id, port})));
    co_await dialled->told.wait();
    co_return std::move(dialled->outcome);
  }

  Result<void> kill_vmm(int signal) override { return send(Command(Kill{signal})); }

  void close() override {
    boost::system::error_code ignored;
    socket_.close(ignored);
    dials_->fail_all(Error(Errc::unavailable, "the connection to the shim is closed"));
  }

  /// Commands are few and tiny: one that does not fit into the socket's buffer means that the shim hangs.
  Result<void> send(const Command& command) {
    const std::string frame = frame_of(command);
    const ssize_t put = ::send(socket_.native_handle(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put == static_cast<ssize_t>(frame.size())) return {};
    return Error(Errc::unavailable, put < 0 ? Error::from_errno("shim", errno).message() : "the shim does not read its commands");
  }

private:
  Error end_with(Error error) {
    dials_->fail_all(error);
    return error;
  }

  void settle(const Answered& answered) {
    if (!answered.connected) return dials_->settle(answered.id, Error(Errc::unavailable, answered.reason));
    UniqueFd socket = take_passed();
    if (socket) return dials_->settle(answered.id, std::move(socket));
    dials_->settle(answered.id, Error(Errc::limit, "no free descriptor for a stream into the guest"));
  }

  Result<void> receive() {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    const auto room = async::shared_read_buffer();
    iovec part{room.data(), room.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    const ssize_t got = ::recvmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (got <= 0) return Error(Errc::unavailable, "the shim is gone: " + (got == 0 ? std::string("it closed the connection") : Error::from_errno("recvmsg", errno).message()));
    note_passed(message);
    reader_.feed({room.data(), static_cast<std::size_t>(got)});
    return {};
  }

  /// In the order of their events; one that found no free descriptor leaves an empty place.
  void note_passed(msghdr& message) {
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int))) {
      int passed = -1;
      std::memcpy(&passed, CMSG_DATA(header), sizeof(int));
      passed_.emplace_back(passed);
    } else if ((message.msg_flags & MSG_CTRUNC) != 0) {
      passed_.emplace_back();
    }
  }

  asio::local::stream_protocol::socket socket_;
  framing::FrameReader reader_;
  std::deque<UniqueFd> passed_;
  std::shared_ptr<PendingDials> dials_ = std::make_shared<PendingDials>();
};

}  // namespace

asio::awaitable<Result<std::unique_ptr<ShimConnection>>> ShimConnection::attach(std::string socket_path, std::uint64_t console_offset) {
  const auto executor = co_await asio::this_coro::executor;
  asio::local::stream_protocol::socket socket(executor);
  const asio::local::stream_protocol::endpoint endpoint(socket_path);
  const auto token = asio::as_tuple(asio::use_awaitable);
  const auto [error] = co_await socket.async_connect(endpoint, token);
  if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
  if (error) co_return Error(Errc::unavailable, socket_path + ": " + error.message());
  auto connection = std::make_unique<Connection>(std::move(socket));
  const Command attach_command(Attach{console_offset, true});
  CO_TRY_VOID(sent, connection->send(attach_command));
  std::unique_ptr<ShimConnection> opened = std::move(connection);
  co_return opened;
}

}  // namespace vigil::shim
