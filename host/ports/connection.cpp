#include "host/ports/connection.hpp"

#include "host/async/deadline.hpp"
#include "host/http/message.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace vigil::ports {

namespace asio = boost::asio;

namespace {

constexpr auto client_result = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds farewell_deadline{2'000};
constexpr std::size_t max_farewell_bytes = 1 << 20;

class ClientConnection {
  public:
    ClientConnection(Client client, Proxy& proxy, Quiet& quiet) : client_(std::move(client)), proxy_(proxy), quiet_(quiet) {
        ++proxy_.counters.open_connections;
    }
    ~ClientConnection() {
        be_quiet(false);
        --proxy_.counters.open_connections;
    }
    ClientConnection(const ClientConnection&) = delete;
    ClientConnection& operator=(const ClientConnection&) = delete;

    asio::awaitable<void> serve() {
        bool goes_on = true;
        while (goes_on) {
            be_quiet(true);
            auto head = co_await read_head();
            be_quiet(false);
            if (head) {
                Exchange exchange(proxy_, client_, std::move(*head));
                goes_on = co_await exchange.run();
            } else {
                goes_on = false;
                co_await tell(head.error());
            }
        }
        co_await close_gently();
    }

  private:
    void be_quiet(bool quiet) {
        if (place_) quiet_.erase(*place_);
        place_.reset();
        if (quiet) place_ = quiet_.insert(quiet_.end(), &client_);
    }

    asio::awaitable<Result<http1::RequestHead>> read_head() {
        if (client_.unread.empty()) {
            auto first = read_more();
            auto came = co_await async::with_deadline(std::move(first), proxy_.limits.idle_deadline, "idle");
            if (!came) co_return Error(Errc::unavailable, "the client has gone, or is idle");
        }
        auto rest = read_rest_of_head();
        auto head = co_await async::with_deadline(std::move(rest), proxy_.limits.head_deadline, "the request's head");
        co_return head;
    }

    asio::awaitable<Result<void>> read_more() {
        char block[8192];
        auto got = co_await client_.socket.async_read_some(asio::buffer(block), client_result);
        if (std::get<0>(got)) co_return Error(Errc::unavailable, "the client has gone");
        client_.unread.append(block, std::get<1>(got));
        co_return Result<void>();
    }

    asio::awaitable<Result<http1::RequestHead>> read_rest_of_head() {
        for (;;) {
            while (client_.unread.starts_with("\r\n")) client_.unread.erase(0, 2);   // after a body some clients say one line too many (RFC 9112 2.2)
            CO_TRY(size, http1::head_size(client_.unread));
            if (size) {
                auto head = http1::parse_request_head(std::string_view(client_.unread).substr(0, *size));
                client_.unread.erase(0, *size);
                co_return head;
            }
            auto came = co_await read_more();
            if (!came) co_return came.error();
        }
    }

    asio::awaitable<void> tell(Error error) {
        const auto refusal = refusal_of_head(error);
        if (!refusal) co_return;
        ++proxy_.counters.refused[refusal->code];
        const auto problem = http::problem_response({refusal->status, refusal->code, refusal->title, refusal->detail});
        http1::ResponseHead head{refusal->status, refusal->title, 1, {}};
        head.fields = {{"Content-Type", problem.content_type}, {"Content-Length", std::to_string(problem.body.size())}, {"Connection", "close"}};
        const std::string text = http1::to_text(head) + problem.body;
        co_await client_.socket.async_write_some(asio::buffer(text), client_result);
    }

    /// What we said last is not lost by a reset: the client's rest is read and forgotten, for a moment.
    asio::awaitable<void> close_gently() {
        if (!client_.socket.is_open()) co_return;
        boost::system::error_code failure;
        client_.socket.shutdown(StreamSocket::shutdown_send, failure);
        if (failure) co_return;
        auto work = read_to_the_end();
        co_await async::with_deadline(std::move(work), farewell_deadline, "the client's end");
    }

    asio::awaitable<Result<void>> read_to_the_end() {
        for (std::size_t total = 0; total < max_farewell_bytes;) {
            client_.unread.clear();
            auto came = co_await read_more();
            if (!came) break;
            total += client_.unread.size();
        }
        co_return Result<void>();
    }

    Client client_;
    Proxy& proxy_;
    Quiet& quiet_;
    std::optional<Quiet::iterator> place_;
};

}  // namespace

std::optional<Refusal> refusal_of_head(const Error& error) {
    if (error.code() == Errc::unavailable) return std::nullopt;
    if (error.code() == Errc::timeout) return Refusal{408, "timeout", "the request did not arrive in time", "", ""};
    if (error.code() == Errc::limit) return Refusal{431, "limit", "the header is too large", error.message(), ""};
    if (error.code() == Errc::unsupported) return Refusal{505, "unsupported", "HTTP version not supported", error.message(), ""};
    return Refusal{400, "invalid", "malformed HTTP", error.message(), ""};
}

asio::awaitable<void> serve_client(Client client, Proxy* proxy, Quiet* quiet) {
    ClientConnection connection(std::move(client), *proxy, *quiet);
    co_await connection.serve();
}

}  // namespace vigil::ports
