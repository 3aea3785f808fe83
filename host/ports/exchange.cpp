#include "host/ports/exchange.hpp"

#include "host/async/deadline.hpp"
#include "host/http/message.hpp"
#include "host/http1/hop.hpp"
#include "host/ports/browser.hpp"
#include "host/ports/settle.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <spdlog/spdlog.h>

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace vigil::ports {

namespace asio = boost::asio;
using namespace std::chrono;
using async::Side;

namespace {

constexpr auto transfer_result = asio::as_tuple(asio::use_awaitable);
constexpr int max_interim_answers = 16;
constexpr milliseconds last_words_deadline{5'000}, look_at_client_every{1'000};

asio::awaitable<void> for_ever() {
    asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::use_awaitable);
}

asio::awaitable<Result<void>> write_whole(StreamSocket* socket, std::string bytes) {
    auto written = co_await asio::async_write(*socket, asio::buffer(bytes), transfer_result);
    if (std::get<0>(written)) co_return Error(Errc::unavailable, "the client has gone");
    co_return Result<void>();
}

/// A problem document as it travels; without its body to HEAD.
std::string text_of(const Refusal& refusal, int minor, const std::string& method, bool keeps) {
    const auto problem = http::problem_response({refusal.status, refusal.code, refusal.title, refusal.detail});
    http1::ResponseHead head{refusal.status, refusal.title, minor, {}};
    head.fields.push_back({"Content-Type", problem.content_type});
    head.fields.push_back({"Content-Length", std::to_string(problem.body.size())});
    head.fields.push_back({"Cache-Control", "no-store"});
    if (!refusal.location.empty()) head.fields.push_back({"Location", refusal.location});
    if (refusal.status == 503) head.fields.push_back({"Retry-After", "1"});
    head.fields.push_back({"Connection", keeps ? "keep-alive" : "close"});
    return http1::to_text(head) + (method == "HEAD" ? "" : problem.body);
}

}  // namespace

Exchange::Exchange(Proxy& proxy, Client& client, http1::RequestHead head)
    : proxy_(proxy), client_(client), head_(std::move(head)), watchdog_(client.socket.get_executor()) {}

asio::awaitable<bool> Exchange::run() {
    auto refusal = read_head();
    if (refusal) co_return co_await refuse(std::move(*refusal));
    auto reached = co_await reach();
    if (reached.client_left) co_return co_await conclude(End::client_left);
    if (reached.refusal) co_return co_await refuse(std::move(*reached.refusal));
    const End end = co_await transfer();
    if (end == End::upgraded) {
        ++proxy_.counters.open_tunnels;
        std::exception_ptr cancelled;
        try {
            auto relay = tunnel();
            co_await streams::relay_raw(std::move(relay));
        } catch (...) {
            cancelled = std::current_exception();
        }
        --proxy_.counters.open_tunnels;
        if (cancelled) std::rethrow_exception(cancelled);
    }
    co_return co_await conclude(end);
}

streams::RawRelay Exchange::tunnel() {
    streams::RawRelay relay{&client_.socket, &*guest_, std::exchange(client_.unread, {}), std::exchange(from_guest_, {}), {}, {}, proxy_.limits.linger};
    relay.to_guest = [&counters = proxy_.counters](std::string_view bytes) -> Result<std::size_t> {
        counters.bytes_to_guest += bytes.size();
        return bytes.size();
    };
    relay.from_guest = [&counters = proxy_.counters](std::string_view bytes) -> Result<std::size_t> {
        counters.bytes_to_client += bytes.size();
        return bytes.size();
    };
    return relay;
}

std::optional<Refusal> Exchange::read_head() {
    auto asked = read_asked(head_);
    if (!asked) return Refusal{400, "invalid", "malformed HTTP", asked.error().message(), ""};
    if (head_.method == "CONNECT" || head_.method == "TRACE") return Refusal{501, "unsupported", "method not supported", head_.method, ""};
    auto address = address_of(head_);
    if (auto* const refusal = std::get_if<Refusal>(&address)) {
        asked_ = std::move(*asked);
        return std::move(*refusal);
    }
    address_ = std::move(std::get<Address>(address));
    asked_ = std::move(*asked);
    if (asked_.wait) asked_.wait = std::min(*asked_.wait, duration_cast<seconds>(proxy_.limits.max_wait));
    if (client_.door_port.empty()) return std::nullopt;
    return browser_may_not(head_, address_, client_.door_port);
}

// ---- the way to the service ----

asio::awaitable<Exchange::Reached> Exchange::reach() {
    auto executor = co_await asio::this_coro::executor;
    auto work = settle_and_dial();
    auto watch = until_client_left();
    auto race = asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(work), asio::deferred),
                                                        asio::co_spawn(executor, std::move(watch), asio::deferred));
    auto finished = co_await race.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    auto& [order, failure, reached, watch_failure, left] = finished;
    if (order[0] == 1 && !watch_failure) co_return std::move(left);
    if (failure) std::rethrow_exception(failure);
    co_return std::move(reached);
}

asio::awaitable<Exchange::Reached> Exchange::settle_and_dial() {
    Reached reached;
    const auto onward = for_guest(head_, address_, asked_, client_.peer);
    if (!onward) {
        reached.refusal = Refusal{400, "invalid", "malformed HTTP", onward.error().message(), ""};
        co_return reached;
    }
    std::string first = http1::to_text(*onward);
    const auto id = proxy_.guests.find_vm(address_.vm, client_.uid);
    if (!id) {
        reached.refusal = Refusal{404, "not_found", "not found", id.error().message(), ""};
        co_return reached;
    }
    const milliseconds limit = asked_.wait ? milliseconds(*asked_.wait) : proxy_.limits.default_wait;
    auto settled = co_await settle(&proxy_.guests, &proxy_.bus, *id, address_.wanted, limit);
    if (settled.waited.count() != 0) {
        const auto waited = static_cast<std::uint64_t>(settled.waited.count());
        ++proxy_.counters.waited;
        proxy_.counters.waited_ms += waited;
        proxy_.counters.waited_ms_max = std::max(proxy_.counters.waited_ms_max, waited);
    }
    if (auto* const refusal = std::get_if<Refusal>(&settled.judgement)) {
        reached.refusal = std::move(*refusal);
        co_return reached;
    }
    port_ = std::get<Go>(settled.judgement).port;
    auto stream = co_await dial(&proxy_.guests, *id, port_, std::move(first));
    if (stream) guest_.emplace(client_.socket.get_executor(), std::move(*stream));
    else reached.refusal = not_reached(port_, stream.error());
    co_return reached;
}

asio::awaitable<Exchange::Reached> Exchange::until_client_left() {
    co_await client_leaves();
    Reached reached;
    reached.client_left = true;
    co_return reached;
}

/// Ends when the client closes its side: as a server we take that for a client that has gone. When it sends more instead, nobody looks further: never.
asio::awaitable<void> Exchange::client_leaves() {
    for (;;) {
        auto waited = co_await client_.socket.async_wait(StreamSocket::wait_read, transfer_result);
        if (std::get<0>(waited)) co_return;
        char byte = 0;
        const ssize_t count = ::recv(client_.socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (count > 0) co_await for_ever();
        if (count == 0 || (errno != EAGAIN && errno != EINTR)) co_return;
    }
}

// ---- both bodies ----

asio::awaitable<Exchange::End> Exchange::transfer() {
    auto executor = co_await asio::this_coro::executor;
    auto up = pump_up();
    auto down = pump_down();
    auto late = stall();
    auto race = asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(down), asio::deferred),
                                                        asio::co_spawn(executor, std::move(up), asio::deferred),
                                                        asio::co_spawn(executor, std::move(late), asio::deferred));
    auto finished = co_await race.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    auto& [order, down_failure, down_end, up_failure, up_end, late_failure, late_end] = finished;
    const std::exception_ptr failure = order[0] == 0 ? down_failure : order[0] == 1 ? up_failure : late_failure;
    if (failure) std::rethrow_exception(failure);
    co_return order[0] == 0 ? down_end : order[0] == 1 ? up_end : late_end;
}

asio::awaitable<Exchange::End> Exchange::stall() {
    for (;;) {
        stalled_ = co_await watchdog_.passed();
        const auto end = stalled_ == Side::guest && write_due_ ? look_at_blocked_write() : End::stalled;
        if (end) co_return *end;
    }
}

/// While the service takes nothing nobody reads from the client either, so its leaving is not seen: looked for now and then, and the slot is free again.
std::optional<Exchange::End> Exchange::look_at_blocked_write() {
    if (client_hung_up()) return End::client_left;
    const auto left = duration_cast<milliseconds>(*write_due_ - steady_clock::now());
    if (left <= 0ms) return End::stalled;
    watchdog_.expect(Side::guest, std::min(left, look_at_client_every));
    return std::nullopt;
}

/// Also behind bytes that nobody has read yet.
bool Exchange::client_hung_up() {
    pollfd looked{client_.socket.native_handle(), POLLRDHUP, 0};
    return ::poll(&looked, 1, 0) == 1 && (looked.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

asio::awaitable<Exchange::End> Exchange::pump_up() {
    bool takes = true;   // the head went with the opening
    http1::BodyScanner scanner(asked_.framing);
    std::vector<char> block(scanner.done() ? 0 : block_bytes);
    while (takes && !scanner.done()) {
        if (client_.unread.empty()) {
            watchdog_.expect(Side::client, proxy_.limits.body_deadline);
            auto got = co_await client_.socket.async_read_some(asio::buffer(block), transfer_result);
            watchdog_.rest(Side::client);
            if (std::get<0>(got)) co_return End::client_left;
            client_.unread.assign(block.data(), std::get<1>(got));
        }
        const auto part = scanner.take(client_.unread);
        if (!part) {
            problem_ = part.error();
            co_return End::client_broke;
        }
        std::string bytes = client_.unread.substr(0, *part);
        client_.unread.erase(0, *part);
        proxy_.counters.bytes_to_guest += bytes.size();
        takes = co_await to_guest(std::move(bytes));
    }
    request_sent_ = scanner.done();
    if (!answer_begun_) watchdog_.expect(Side::guest, proxy_.limits.answer_deadline);
    if (!request_sent_) co_await for_ever();   // the service takes no more, perhaps because it has answered already
    co_await client_leaves();
    co_return End::client_left;
}

asio::awaitable<bool> Exchange::to_guest(std::string bytes) {
    write_due_ = steady_clock::now() + proxy_.limits.write_deadline;
    watchdog_.expect(Side::guest, std::min(proxy_.limits.write_deadline, look_at_client_every));
    auto written = co_await guest_->write(std::move(bytes));
    write_due_.reset();
    watchdog_.rest(Side::guest);
    co_return written.has_value();
}

asio::awaitable<bool> Exchange::to_client(std::string bytes) {
    if (request_sent_) watchdog_.expect(Side::client, proxy_.limits.write_deadline);
    auto written = co_await asio::async_write(client_.socket, asio::buffer(bytes), transfer_result);
    if (request_sent_) watchdog_.rest(Side::client);
    co_return !std::get<0>(written);
}

Exchange::End Exchange::broke(Error error) {
    problem_ = std::move(error);
    return End::guest_broke;
}

asio::awaitable<Exchange::End> Exchange::pump_down() {
    for (int interim = 0; interim <= max_interim_answers; ++interim) {
        auto head = co_await read_answer_head();
        if (!head) co_return broke(head.error());
        if (head->status == 101 || head->status >= 200) co_return co_await pass_answer(std::move(*head));
        if (head_.minor == 0) continue;
        const auto passed = for_client(std::move(*head), After::keep, head_.minor);
        if (!passed) co_return broke(passed.error());
        const bool taken = co_await to_client(http1::to_text(*passed));
        if (!taken) co_return End::client_left;
    }
    co_return broke(Error(Errc::protocol, "the service sends interim answers without end"));
}

asio::awaitable<Result<http1::ResponseHead>> Exchange::read_answer_head() {
    for (;;) {
        CO_TRY(size, http1::head_size(from_guest_));
        if (size) {
            auto head = http1::parse_response_head(std::string_view(from_guest_).substr(0, *size));
            from_guest_.erase(0, *size);
            co_return head;
        }
        auto bytes = co_await guest_->read();
        if (!bytes) co_return bytes.error();
        if (bytes->empty()) co_return Error(Errc::protocol, "the service closed the connection before it had answered");
        from_guest_ += *bytes;
    }
}

asio::awaitable<Exchange::End> Exchange::pass_answer(http1::ResponseHead head) {
    const bool upgrades = head.status == 101;
    if (upgrades && !asked_.upgrade) co_return broke(Error(Errc::protocol, "the service changes to a protocol that nobody asked for"));
    const auto framing = http1::response_framing(head, head_.method);
    if (!framing) co_return broke(framing.error());
    if (head_.minor == 0 && framing->kind == http1::Framing::Kind::chunked) co_return broke(Error(Errc::protocol, "the service answers HTTP/1.0 in chunks"));
    const bool keeps = asked_.keep_alive && request_sent_ && framing->kind != http1::Framing::Kind::until_close;
    auto passed = for_client(std::move(head), upgrades ? After::upgrade : keeps ? After::keep : After::close, head_.minor);
    if (!passed) co_return broke(passed.error());
    if (asked_.wait) passed->fields.push_back({"Preference-Applied", "wait=" + std::to_string(asked_.wait->count())});
    watchdog_.rest(Side::guest);
    answer_begun_ = true;
    const bool taken = co_await to_client(http1::to_text(*passed));
    if (!taken) co_return End::client_left;
    if (upgrades) co_return End::upgraded;
    const End end = co_await pass_answer_body(*framing);
    keeps_ = keeps && request_sent_;
    co_return end;
}

asio::awaitable<Exchange::End> Exchange::pass_answer_body(http1::Framing framing) {
    http1::BodyScanner scanner(framing);
    std::string bytes = std::exchange(from_guest_, {});
    while (!scanner.done()) {
        if (bytes.empty()) {
            auto got = co_await guest_->read();
            if (!got) co_return broke(got.error());
            if (got->empty() && scanner.may_end_now()) break;
            if (got->empty()) co_return broke(Error(Errc::protocol, "the service broke its answer off"));
            bytes = std::move(*got);
        }
        const auto part = scanner.take(bytes);
        if (!part) co_return broke(part.error());
        bytes.resize(*part);   // what follows the answer is for nobody
        proxy_.counters.bytes_to_client += bytes.size();
        const bool taken = co_await to_client(std::move(bytes));
        bytes.clear();
        if (!taken) co_return End::client_left;
    }
    co_return End::finished;
}

// ---- the end ----

Refusal Exchange::refusal_of(End end) const {
    if (end == End::client_broke) return {400, "invalid", "malformed HTTP", problem_.message(), ""};
    if (end == End::stalled && stalled_ == Side::client) return {408, "timeout", "the request did not arrive in time", "", ""};
    if (end == End::stalled) return not_answering(port_, request_sent_ ? proxy_.limits.answer_deadline : proxy_.limits.write_deadline);
    const bool malformed = problem_.code() == Errc::invalid || problem_.code() == Errc::limit || problem_.code() == Errc::unsupported;
    return {502, malformed ? "protocol" : std::string(to_text(problem_.code())), "the service did not answer as it should",
            "port " + std::to_string(port_) + ": " + problem_.message(), ""};
}

asio::awaitable<bool> Exchange::conclude(End end) {
    guest_.reset();
    auto& counters = proxy_.counters;
    if (end == End::finished || end == End::upgraded) {
        ++counters.served;
        if (end == End::upgraded) ++counters.upgraded;
        co_return keeps_ && end == End::finished;
    }
    spdlog::debug("ports.cut vm={} port={} end={} err=\"{}\"", address_.vm, port_, static_cast<int>(end), problem_.message());
    if (end == End::client_left) {
        ++counters.client_left;
        co_return false;
    }
    if (!answer_begun_) {
        keeps_ = false;
        asked_.keep_alive = false;
        co_return co_await refuse(refusal_of(end));
    }
    ++(end == End::stalled ? counters.stalled : counters.guest_broke_off);
    const linger at_once{1, 0};   // over TCP a reset: an answer that has no length would else look whole
    ::setsockopt(client_.socket.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    boost::system::error_code ignored;
    client_.socket.close(ignored);
    co_return false;
}

asio::awaitable<bool> Exchange::refuse(Refusal refusal) {
    ++proxy_.counters.refused[refusal.code];
    spdlog::debug("ports.refused vm={} port={} code={} detail=\"{}\"", address_.vm, address_.wanted.text(), refusal.code, refusal.detail);
    const bool keeps = refusal.status != 400 && asked_.keep_alive && asked_.framing.kind == http1::Framing::Kind::none;
    auto work = write_whole(&client_.socket, text_of(refusal, head_.minor, head_.method, keeps));
    auto written = co_await async::with_deadline(std::move(work), last_words_deadline, "refuse a request");
    co_return keeps && written.has_value();
}

}  // namespace vigil::ports
