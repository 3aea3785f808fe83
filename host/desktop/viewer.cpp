#include "host/desktop/viewer.hpp"

#include "host/async/notification.hpp"
#include "host/desktop/view_stream.hpp"
#include "host/ports/settle.hpp"
#include "host/streams/guest_pipe.hpp"
#include "shared/base/encoding.hpp"

#include <spdlog/spdlog.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/websocket.hpp>

#include <sys/socket.h>

#include <vector>

namespace vigil::desktop {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;

namespace {

constexpr auto viewer_result = asio::as_tuple(asio::use_awaitable);

using Socket = asio::generic::stream_protocol::socket;
using Handshake = beast::http::request<beast::http::empty_body>;

/// The fields of the handshake as Beast wants to see them; the others were judged before and play no part in it.
Handshake handshake_of(const http::Request& request) {
  Handshake handshake(beast::http::verb::get, "/rfb", 11);
  for (const char* const name : {"host", "connection", "upgrade", "sec-websocket-key", "sec-websocket-version"})
    if (const auto value = request.header(name)) handshake.set(name, *value);
  return handshake;
}

}  // namespace

class Viewer::Joined {
public:
  Joined(asio::any_io_executor executor, Bridge bridge, UniqueFd client, http::Request request, InstanceId vm,
         std::optional<Closing> refusal)
      : bridge_(bridge),
        handshake_(handshake_of(request)),
        vm_(std::move(vm)),
        browser_(executor),
        news_(executor),
        decided_(executor),
        closed_(executor) {
    int family = AF_UNIX;
    socklen_t size = sizeof family;
    (void)::getsockopt(client.get(), SOL_SOCKET, SO_DOMAIN, &family, &size);
    browser_.next_layer().assign(asio::generic::stream_protocol(family, 0), client.release());
    if (refusal) finish(*refusal);
  }

  asio::awaitable<void> run() {
    const bool is_open = co_await accept();
    if (!is_open) co_return;
    if (!over_) co_await attach();
    if (guest_)
      co_await relay();
    else
      co_await part();
  }

  void finish(std::optional<Closing> closing) {
    if (over_) return;
    over_ = true;
    closing_ = std::move(closing);
    if (guest_) guest_->close();
    news_.notify();
    decided_.notify();
  }

  const InstanceId& vm() const { return vm_; }

private:
  asio::awaitable<bool> accept() {
    websocket::stream_base::timeout patience{};
    patience.handshake_timeout = bridge_.limits.handshake_deadline;
    patience.idle_timeout = bridge_.limits.idle;
    patience.keep_alive_pings = true;
    browser_.set_option(patience);
    browser_.binary(true);
    browser_.auto_fragment(false);   // a block is one frame; else Beast would cut it into pieces of 4 KiB
    browser_.read_message_max(bridge_.limits.max_message_bytes);
    auto accepted = co_await browser_.async_accept(handshake_, viewer_result);
    co_return !std::get<0>(accepted);
  }

  asio::awaitable<void> attach() {
    const auto view = look();
    if (const auto closing = closing_of(view, std::nullopt)) co_return finish(*closing);
    run_ = view.run;
    std::string nothing;   // a screen speaks first
    auto stream = co_await ports::dial(&bridge_.guests, vm_, view.port, std::move(nothing));
    if (over_) co_return;
    if (!stream) co_return finish(make_closing(CloseCode::not_ready, "the screen cannot be reached: " + stream.error().message()));
    guest_.emplace(browser_.get_executor(), std::move(*stream));
    ++bridge_.counters.attached;
    ++bridge_.counters.open;
  }

  asio::awaitable<void> relay() {
    auto executor = co_await asio::this_coro::executor;
    auto in = from_browser();
    auto out = to_browser();
    auto watching = watch();
    auto all = asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(in), asio::deferred),
                                                       asio::co_spawn(executor, std::move(out), asio::deferred),
                                                       asio::co_spawn(executor, std::move(watching), asio::deferred));
    co_await all.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
    --bridge_.counters.open;
  }

  /// Nothing was joined: only the word of farewell, which watch() bounds in time.
  asio::awaitable<void> part() {
    auto executor = co_await asio::this_coro::executor;
    auto word = say_goodbye();
    auto watching = watch();
    auto both = asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(word), asio::deferred),
                                                        asio::co_spawn(executor, std::move(watching), asio::deferred));
    co_await both.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
  }

  asio::awaitable<void> from_browser() {
    std::vector<char> block(streams::pipe_block_bytes);
    while (!over_) {
      auto got = co_await browser_.async_read_some(asio::buffer(block), viewer_result);
      if (std::get<0>(got)) co_return finish(std::nullopt);
      if (!browser_.got_binary()) co_return finish(make_closing(CloseCode::not_binary, "RFB is bytes: send binary messages"));
      bridge_.counters.bytes_to_guest += std::get<1>(got);
      std::string bytes(block.data(), std::get<1>(got));
      auto written = co_await guest_->write(std::move(bytes));
      if (!written) co_return guest_ended();
    }
  }

  /// The only one who writes to the browser, the farewell too.
  asio::awaitable<void> to_browser() {
    while (!over_) {
      auto got = co_await guest_->read();
      if (over_) break;
      if (!got || got->empty()) {
        guest_ended();
        co_await decided_.wait();
        break;
      }
      const std::string bytes = std::move(*got);
      auto written = co_await browser_.async_write(asio::buffer(bytes), viewer_result);
      if (std::get<0>(written)) finish(std::nullopt);
      bridge_.counters.bytes_to_browser += bytes.size();
    }
    co_await say_goodbye();
  }

  asio::awaitable<void> say_goodbye() {
    if (closing_) {
      websocket::close_reason reason;
      reason.code = static_cast<std::uint16_t>(closing_->code);
      reason.reason.assign(closing_->reason.data(), closing_->reason.size());
      ++bridge_.counters.closed[std::string(to_text(closing_->code))];
      // Anybody on this machine can be refused, as often as he likes: that is no line of the log.
      spdlog::log(guest_ ? spdlog::level::info : spdlog::level::debug, "desktop.closed vm={} code={} why=\"{}\"", vm_.value(), reason.code,
                  escape_for_terminal(closing_->reason, Lines::escape));
      co_await browser_.async_close(reason, viewer_result);
    } else {
      ++bridge_.counters.left;
    }
    hang_up();
    closed_.notify();
  }

  void guest_ended() {
    if (!guest_ended_) verdict_due_ = std::chrono::steady_clock::now() + bridge_.limits.verdict_wait;
    guest_ended_ = true;
    news_.notify();
  }

  /// Decides when and why it ends, then how long the farewell may take.
  asio::awaitable<void> watch() {
    News news(bridge_.bus, vm_, [this] { news_.notify(); });
    while (!over_) {
      news.drain();
      judge();
      if (over_) break;
      // The stream's end comes before the events that say why it ended: these are waited for.
      if (!guest_ended_) {
        co_await news_.wait();
        continue;
      }
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*verdict_due_ - std::chrono::steady_clock::now());
      bool more = false;
      if (left.count() > 0) more = co_await news_.wait_for(left);
      if (!more) finish(make_closing(CloseCode::not_ready, "the screen's server ended the connection"));
    }
    const bool is_closed = co_await closed_.wait_for(bridge_.limits.farewell);
    if (!is_closed) hang_up();
  }

  void judge() {
    const auto view = look();
    const auto closing = closing_of(view, run_);
    if (!closing) return;
    // A probe that fails for a moment is no reason to take away a screen that works.
    const bool is_final = closing->code == CloseCode::vm_ended || closing->code == CloseCode::no_such_vm;
    if (is_final || guest_ended_) finish(*closing);
  }

  View look() const { return view_of(bridge_.guests.state_of(vm_), bridge_.limits.max_listed_services); }

  void hang_up() {
    boost::system::error_code ignored;
    browser_.next_layer().close(ignored);
  }

  Bridge bridge_;
  Handshake handshake_;
  InstanceId vm_;
  websocket::stream<Socket, false> browser_;   // without compression: RFB has its own
  async::Notification news_, decided_, closed_;
  std::optional<streams::GuestPipe> guest_;
  std::optional<std::uint32_t> run_;
  std::optional<Closing> closing_;
  std::optional<std::chrono::steady_clock::time_point> verdict_due_;
  bool over_ = false, guest_ended_ = false;
};

Viewer::Viewer(asio::any_io_executor executor, Bridge bridge, UniqueFd client, http::Request request, InstanceId vm,
               std::optional<Closing> refusal)
    : joined_(std::make_unique<Joined>(std::move(executor), bridge, std::move(client), std::move(request), std::move(vm),
                                       std::move(refusal))) {}
Viewer::~Viewer() = default;

asio::awaitable<void> Viewer::run() { co_await joined_->run(); }

void Viewer::finish(const Closing& closing) { joined_->finish(closing); }

const InstanceId& Viewer::vm() const { return joined_->vm(); }

}  // namespace vigil::desktop
