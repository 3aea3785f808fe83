#include "host/http/connection.hpp"

#include "host/async/loopback_listener.hpp"
#include "host/async/notification.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <spdlog/spdlog.h>

#include <sys/socket.h>

#include <algorithm>
#include <memory>

namespace vigil::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Protocol = asio::generic::stream_protocol;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

Peer peer_of(int socket) {
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    int family = 0;
    socklen_t family_size = sizeof(family);
    const bool is_local = ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &family_size) == 0 && family == AF_UNIX;
    if (!is_local || ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {0, static_cast<uid_t>(-1), false, async::peer_address(socket)};
    return {credentials.pid, credentials.uid, true, "unix"};
}

std::optional<Method> method_of(beast::http::verb verb) {
    if (verb == beast::http::verb::get) return Method::get;
    if (verb == beast::http::verb::post) return Method::post;
    if (verb == beast::http::verb::put) return Method::put;
    if (verb == beast::http::verb::delete_) return Method::del;
    return std::nullopt;
}

std::optional<Response> refusal_of(boost::system::error_code failure, const Limits& limits) {
    if (failure == beast::http::error::end_of_stream || failure == asio::error::eof) return std::nullopt;
    if (failure == beast::http::error::body_limit)
        return problem_response({413, "limit", "the body is too large", "at most " + std::to_string(limits.max_body_bytes) + " bytes"});
    if (failure == beast::http::error::header_limit)
        return problem_response({431, "limit", "the header is too large", "at most " + std::to_string(limits.max_header_bytes) + " bytes"});
    if (failure == beast::error::timeout) return problem_response({408, "timeout", "the request did not arrive in time", ""});
    if (failure.category() == make_error_code(beast::http::error::bad_target).category())
        return problem_response({400, "invalid", "malformed HTTP", failure.message()});
    return std::nullopt;  // the connection itself is gone
}

/// What a late answer and a waiting connection share; whoever is last frees it.
struct PendingAnswer {
    explicit PendingAnswer(asio::any_io_executor executor) : arrived(executor) {}
    std::optional<Answer> answer;
    async::Notification arrived;
};

/// Wakes a stream's writer: there is more, the client left, or the leash was cut.
struct StreamWaker {
    explicit StreamWaker(asio::any_io_executor executor) : changed(executor) {}
    async::Notification changed;
    bool is_over = false;

    void end() {
        is_over = true;
        changed.notify();
    }
};

/// While it lives its connection is among the event streams.
class Follower {
  public:
    explicit Follower(Crowd& crowd) : crowd_(crowd) {
        --crowd_.connections;
        ++crowd_.event_streams;
    }
    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;
    ~Follower() {
        ++crowd_.connections;
        --crowd_.event_streams;
    }

  private:
    Crowd& crowd_;
};

class Connection {
  public:
    Connection(Protocol::socket socket, const Router& router, const Limits& limits, const Doorkeeper& doorkeeper, Crowd& crowd)
        : peer_(peer_of(socket.native_handle())), stream_(std::move(socket)), router_(router), limits_(limits), doorkeeper_(doorkeeper), crowd_(crowd) {}

    asio::awaitable<void> serve() {
        while (co_await serve_one()) {
        }
        boost::system::error_code ignored;   // of a connection that was handed over there is no socket any more
        stream_.socket().shutdown(Protocol::socket::shutdown_send, ignored);
    }

  private:
    using Parser = beast::http::request_parser<beast::http::string_body>;

    /// False: the connection is done.
    asio::awaitable<bool> serve_one() {
        Parser parser;
        parser.header_limit(limits_.max_header_bytes);
        parser.body_limit(limits_.max_body_bytes);
        const auto failure = co_await read_request(parser);
        if (turned_away_) {
            auto refusal = std::move(*turned_away_);
            co_await write(std::move(refusal), false);
            co_return false;
        }
        if (failure) {
            auto refusal = refusal_of(failure, limits_);
            if (refusal) co_await write(std::move(*refusal), false);
            co_return false;
        }
        const bool keep_alive = parser.get().keep_alive();
        co_return co_await answer(parser.release(), keep_alive);
    }

    asio::awaitable<boost::system::error_code> read_request(Parser& parser) {
        if (buffer_.size() == 0) {
            stream_.expires_after(limits_.idle_deadline);
            auto first = co_await stream_.async_read_some(buffer_.prepare(4096), as_result);
            if (std::get<0>(first)) co_return std::get<0>(first) == beast::error::timeout ? asio::error::eof : std::get<0>(first);
            buffer_.commit(std::get<1>(first));
        }
        stream_.expires_after(limits_.request_deadline);
        auto header = co_await beast::http::async_read_header(stream_, buffer_, parser, as_result);
        if (std::get<0>(header)) co_return std::get<0>(header);
        if (doorkeeper_) turned_away_ = doorkeeper_(head_of(parser.get()));
        if (turned_away_) co_return boost::system::error_code();
        if (parser.get()[beast::http::field::expect] == "100-continue") {
            constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
            co_await asio::async_write(stream_, asio::buffer(go_on), as_result);
        }
        auto body = co_await beast::http::async_read(stream_, buffer_, parser, as_result);
        co_return std::get<0>(body);
    }

    asio::awaitable<bool> answer(beast::http::request<beast::http::string_body> raw, bool keep_alive) {
        const auto method = method_of(raw.method());
        if (!method) {
            auto refusal = problem_response({501, "unsupported", "method not supported", std::string(raw.method_string())});
            co_return co_await write(std::move(refusal), keep_alive);
        }
        const auto started = std::chrono::steady_clock::now();
        Request request = to_request(raw);
        request.leash = leash_ = std::make_shared<async::Leash>();
        const std::string target = request.path.substr(0, request.path.find('?'));   // for logs: a query may hold what is secret
        Answer answer = co_await ask(std::move(request));
        if (auto* source = std::get_if<std::unique_ptr<EventSource>>(&answer)) {
            if (crowd_.event_streams >= limits_.max_event_streams) {
                auto refusal = problem_response({503, "limit", "too many event streams", "at most " + std::to_string(limits_.max_event_streams) + " are served at once; end one and come again"});
                co_return co_await write(std::move(refusal), false);
            }
            spdlog::debug("http.stream path={} pid={}", target, peer_.pid);
            co_await write_events(std::move(*source));
            co_return false;
        }
        if (auto* bytes = std::get_if<ByteStream>(&answer)) {
            spdlog::debug("http.bytes path={} pid={}", target, peer_.pid);
            co_await write_stream(std::move(*bytes));
            co_return false;
        }
        if (auto* handover = std::get_if<Handover>(&answer)) {
            spdlog::debug("http.handover path={} protocol={} pid={}", target, handover->protocol, peer_.pid);
            co_await hand_over(std::move(*handover));
            co_return false;
        }
        auto& response = std::get<Response>(answer);
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
        spdlog::debug("http.request method={} path={} code={} dur_ms={}", http::to_text(*method), target, response.status, took.count());
        co_return co_await write(std::move(response), keep_alive);
    }

    /// Of a method that is none of ours: as if it were POST, the least that is refused.
    Request head_of(const beast::http::request<beast::http::string_body>& raw) const {
        Request request;
        request.method = method_of(raw.method()).value_or(Method::post);
        request.path = std::string(raw.target());
        for (const auto& field : raw) {
            std::string name(field.name_string());
            std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
            request.headers[name] = std::string(field.value());
        }
        request.peer = peer_;
        return request;
    }

    Request to_request(beast::http::request<beast::http::string_body>& raw) const {
        Request request = head_of(raw);
        request.body = std::move(raw.body());
        return request;
    }

    asio::awaitable<Answer> ask(Request request) {
        auto pending = std::make_shared<PendingAnswer>(stream_.get_executor());
        auto deliver = [pending](Answer answer) {
            pending->answer = std::move(answer);
            pending->arrived.notify();
        };
        {
            const Reply reply(std::move(deliver));
            router_.dispatch(std::move(request), reply);
        }
        const bool in_time = co_await pending->arrived.wait_for(limits_.answer_deadline);
        if (in_time && pending->answer) co_return std::move(*pending->answer);
        Answer late = problem_response({504, "timeout", "no answer in time", "the operation may still go on"});
        co_return late;
    }

    asio::awaitable<bool> write(Response response, bool keep_alive) {
        beast::http::response<beast::http::string_body> raw(static_cast<beast::http::status>(response.status), 11);
        raw.set(beast::http::field::server, "vigild");
        if (!response.content_type.empty()) raw.set(beast::http::field::content_type, response.content_type);
        for (const auto& [name, value] : response.headers) raw.set(name, value);
        raw.body() = std::move(response.body);
        raw.keep_alive(keep_alive);
        raw.prepare_payload();
        stream_.expires_after(limits_.write_deadline);
        auto written = co_await beast::http::async_write(stream_, raw, as_result);
        co_return !std::get<0>(written) && keep_alive;
    }

    asio::awaitable<bool> write_bytes(std::string bytes) {
        stream_.expires_after(limits_.write_deadline);
        auto written = co_await asio::async_write(stream_, asio::buffer(bytes), as_result);
        stream_.expires_never();
        co_return !std::get<0>(written);
    }

    asio::awaitable<void> hand_over(Handover handover) {
        if (!handover.protocol.empty()) {
            const bool told = co_await write_bytes("HTTP/1.1 101 Switching Protocols\r\nServer: vigild\r\nConnection: Upgrade\r\nUpgrade: " + handover.protocol + "\r\n\r\n");
            if (!told) co_return;
        }
        const auto sent = buffer_.cdata();
        std::string unread(static_cast<const char*>(sent.data()), sent.size());
        auto socket = stream_.release_socket();
        handover.take(UniqueFd(socket.release()), std::move(unread));
    }

    static std::string chunk_of(const std::string& bytes) { return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes); }

    /// Whatever an answer that goes on waits for comes by it.
    template <class Source>
    std::shared_ptr<StreamWaker> waker_of(Source& source) {
        auto waker = std::make_shared<StreamWaker>(stream_.get_executor());
        const std::weak_ptr<StreamWaker> weak = waker;
        source.on_more([weak] {
            if (const auto alive = weak.lock()) alive->changed.notify();
        });
        watch_client(waker);
        leash_->on_cut([weak] {
            if (const auto alive = weak.lock()) alive->end();
        });
        return waker;
    }

    asio::awaitable<void> write_events(std::unique_ptr<EventSource> source) {
        const Follower follower(crowd_);
        const auto waker = waker_of(*source);
        bool open = co_await write_bytes(
            "HTTP/1.1 200 OK\r\nServer: vigild\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n"
            "Connection: close\r\n\r\n");
        while (open && !waker->is_over) {
            auto batch = source->next();
            if (!batch) {
                spdlog::warn("http.stream_ended pid={} err=\"{}\"", peer_.pid, batch.error().message());
                break;
            }
            open = co_await write_batch(std::move(*batch), waker);
        }
    }

    /// False: the stream is over.
    asio::awaitable<bool> write_batch(EventSource::Batch batch, std::shared_ptr<StreamWaker> waker) {
        std::string text;
        for (const auto& event : batch.events) text += event.shared ? *event.shared : to_sse(event);
        if (!text.empty() && !co_await write_bytes(chunk_of(text))) co_return false;
        if (batch.ended) {
            co_await write_bytes("0\r\n\r\n");
            co_return false;
        }
        if (!batch.events.empty()) co_return true;
        const bool woken = co_await waker->changed.wait_for(limits_.heartbeat);
        if (woken) co_return true;
        co_return co_await write_bytes(chunk_of(": alive\n\n"));
    }

    asio::awaitable<void> write_stream(ByteStream stream) {
        const auto waker = waker_of(*stream.source);
        std::string head = "HTTP/1.1 200 OK\r\nServer: vigild\r\nContent-Type: " + stream.content_type + "\r\nConnection: close\r\n";
        for (const auto& [name, value] : stream.headers) head += name + ": " + value + "\r\n";
        head += stream.length ? "Content-Length: " + std::to_string(*stream.length) + "\r\n\r\n" : "Transfer-Encoding: chunked\r\n\r\n";
        bool open = co_await write_bytes(std::move(head));
        while (open && !waker->is_over) {
            auto part = stream.source->next();
            if (!part) {
                spdlog::warn("http.bytes_broken pid={} err=\"{}\"", peer_.pid, part.error().message());
                break;
            }
            open = co_await write_part(std::move(*part), stream.length, waker);
        }
    }

    /// False: it is over. What is missing then, of its length or of the chunked body's end, tells the client that it was not the whole.
    asio::awaitable<bool> write_part(ByteSource::Part part, std::optional<std::uint64_t>& left, std::shared_ptr<StreamWaker> waker) {
        if (left) {
            if (part.bytes.size() > *left) part.bytes.resize(*left);   // a file that has grown meanwhile
            *left -= part.bytes.size();
        }
        const bool is_empty = part.bytes.empty();
        std::string text = left || is_empty ? std::move(part.bytes) : chunk_of(part.bytes);
        if (part.ended && !left) text += "0\r\n\r\n";
        if (!text.empty()) {
            const bool written = co_await write_bytes(std::move(text));
            if (!written) co_return false;
        }
        if (part.ended) co_return false;
        if (!is_empty) co_return true;
        const bool woken = co_await waker->changed.wait_for(limits_.answer_deadline);
        if (!woken) spdlog::warn("http.bytes_stalled pid={} err=\"its source gave nothing for {} s\"", peer_.pid, std::chrono::duration_cast<std::chrono::seconds>(limits_.answer_deadline).count());
        co_return woken;
    }

    /// A client of an event stream says nothing more; when its side becomes readable, it has most likely gone.
    void watch_client(std::shared_ptr<StreamWaker> waker) {
        const int fd = stream_.socket().native_handle();
        stream_.socket().async_wait(Protocol::socket::wait_read, [waker, fd](boost::system::error_code failure) {
            if (failure == asio::error::operation_aborted) return;
            char byte = 0;
            if (!failure && ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) return;  // it does talk: writes will tell when it is gone
            waker->end();
        });
    }

    Peer peer_;
    beast::basic_stream<Protocol> stream_;
    beast::flat_buffer buffer_;
    const Router& router_;
    const Limits& limits_;
    const Doorkeeper& doorkeeper_;
    Crowd& crowd_;
    std::optional<Response> turned_away_;
    std::shared_ptr<async::Leash> leash_;   // of the request that is being answered
};

}  // namespace

asio::awaitable<void> serve_connection(Protocol::socket socket, const Router& router, const Limits& limits, const Doorkeeper& doorkeeper,
                                       Crowd& crowd) {
    Connection connection(std::move(socket), router, limits, doorkeeper, crowd);
    co_await connection.serve();
}

}  // namespace vigil::http
