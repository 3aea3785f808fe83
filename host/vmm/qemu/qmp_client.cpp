#include "host/vmm/qemu/qmp_client.hpp"

#include "host/async/deadline.hpp"
#include "host/async/notification.hpp"
#include "host/async/read_some.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <map>
#include <optional>

namespace vigil::vmm::qemu {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds answer_deadline{30};   // a busy emulating host may leave QEMU's main loop waiting for seconds

const auto as_result = asio::as_tuple(asio::use_awaitable);

}  // namespace

struct QmpClient::Impl {
  Impl(asio::any_io_executor executor, OnVmmEvent on_event) : socket(executor), tasks(executor), greeted(executor), tell(std::move(on_event)) {}

  struct Waiting {
    explicit Waiting(asio::any_io_executor executor) : arrived(executor) {}
    async::Notification arrived;
    std::optional<Result<std::string>> outcome;
  };

  asio::awaitable<void> read_all();
  asio::awaitable<Result<void>> read_some();
  Result<void> take_lines();
  void take(const QmpMessage& message);
  void take_reply(const Reply& reply);
  void lose(const Error& error);
  Result<void> send(const std::string& line);
  asio::awaitable<Result<std::string>> ask(std::string command, std::string arguments);
  asio::awaitable<Result<bool>> greeting();

  asio::local::stream_protocol::socket socket;
  async::TaskGroup tasks;
  async::Notification greeted;                  // or lost before that
  OnVmmEvent tell;
  std::string version;
  std::string input;
  std::map<std::uint64_t, Waiting> waiting;
  std::uint64_t next_id = 1;
  std::optional<Error> lost;
};

asio::awaitable<void> QmpClient::Impl::read_all() {
  while (!lost) {
    const auto read = co_await read_some();
    if (!read) lose(read.error());
  }
}

asio::awaitable<Result<void>> QmpClient::Impl::read_some() {
  const auto [error, bytes] = co_await async::read_some(socket);
  if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
  if (error) co_return Error(Errc::unavailable, "QMP: " + error.message());
  input.append(bytes);
  co_return take_lines();
}

Result<void> QmpClient::Impl::take_lines() {
  std::size_t begin = 0;
  for (std::size_t end = input.find('\n'); end != std::string::npos; end = input.find('\n', begin)) {
    TRY(message, parse_message(std::string_view(input).substr(begin, end - begin)));
    begin = end + 1;
    take(message);
  }
  input.erase(0, begin);
  if (input.size() > max_line_bytes) return Error(Errc::protocol, "QMP: a line of more than 1 MiB");
  return {};
}

void QmpClient::Impl::take(const QmpMessage& message) {
  if (const auto* greeting = std::get_if<Greeting>(&message)) {
    version = greeting->version;
    greeted.notify();
  } else if (const auto* reply = std::get_if<Reply>(&message)) {
    take_reply(*reply);
  } else if (const auto* event = std::get_if<VmmEvent>(&message)) {
    tell(*event);
  }
}

void QmpClient::Impl::take_reply(const Reply& reply) {
  const auto found = waiting.find(reply.id);
  if (found == waiting.end()) return;   // its asker gave up
  if (reply.error) found->second.outcome = Error(Errc::invalid, "QMP: " + *reply.error);
  else found->second.outcome = reply.value;
  found->second.arrived.notify();
}

void QmpClient::Impl::lose(const Error& error) {
  lost = error;
  boost::system::error_code ignored;
  socket.close(ignored);
  for (auto& [id, asker] : waiting) {
    if (!asker.outcome) asker.outcome = error;
    asker.arrived.notify();
  }
  greeted.notify();
  tell(ControlLost{error});
}

/// Commands are short: one that does not fit into the socket's buffer means that QEMU hangs.
Result<void> QmpClient::Impl::send(const std::string& line) {
  const ssize_t put = ::send(socket.native_handle(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (put == static_cast<ssize_t>(line.size())) return {};
  return Error(Errc::unavailable, put < 0 ? Error::from_errno("QMP", errno).message() : "QMP: QEMU does not read its commands");
}

asio::awaitable<Result<std::string>> QmpClient::Impl::ask(std::string command, std::string arguments) {
  if (lost) co_return *lost;
  const std::uint64_t id = next_id++;
  auto& asker = waiting.try_emplace(id, socket.get_executor()).first->second;
  struct Forget {   // also when we are cancelled
    std::map<std::uint64_t, Waiting>& waiting;
    std::uint64_t id;
    ~Forget() { waiting.erase(id); }
  } const forget{waiting, id};
  const std::string line = make_command(command, id, arguments);
  CO_TRY_VOID(sent, send(line));
  co_await asker.arrived.wait();
  co_return *asker.outcome;
}

asio::awaitable<Result<bool>> QmpClient::Impl::greeting() {
  co_await greeted.wait();
  if (lost) co_return *lost;
  co_return true;
}

QmpClient::QmpClient(asio::any_io_executor executor, OnVmmEvent on_event) : impl_(std::make_unique<Impl>(executor, std::move(on_event))) {}

QmpClient::~QmpClient() = default;

asio::awaitable<Result<void>> QmpClient::open(std::string path) {
  const asio::local::stream_protocol::endpoint endpoint(path);
  const auto [error] = co_await impl_->socket.async_connect(endpoint, as_result);
  if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
  if (error) co_return Error(Errc::unavailable, path + ": " + error.message());
  impl_->tasks.spawn("qmp", [impl = impl_.get()] { return impl->read_all(); });
  auto greeting = impl_->greeting();
  const std::string what = "QMP greeting";
  CO_TRY_VOID(greeted, co_await async::with_deadline(std::move(greeting), answer_deadline, what));
  const std::string negotiate = "qmp_capabilities", nothing;
  CO_TRY_VOID(agreed, co_await execute(negotiate, nothing));
  co_return Result<void>();
}

asio::awaitable<Result<std::string>> QmpClient::execute(std::string command, std::string arguments) {
  auto answer = impl_->ask(command, std::move(arguments));
  const std::string what = "QMP " + command;
  co_return co_await async::with_deadline(std::move(answer), answer_deadline, what);
}

asio::awaitable<void> QmpClient::stop() {
  co_await impl_->tasks.stop();
  impl_->lost = Error(Errc::unavailable, "QMP: closed");
  boost::system::error_code ignored;
  impl_->socket.close(ignored);
}

const std::string& QmpClient::version() const { return impl_->version; }

}  // namespace vigil::vmm::qemu
