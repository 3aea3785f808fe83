#include "host/egress/session.hpp"

#include "host/async/deadline.hpp"
#include "host/egress/resolve.hpp"
#include "host/egress/tls_watch.hpp"
#include "host/http/message.hpp"
#include "shared/base/encoding.hpp"
#include "shared/framing/frame.hpp"
#include "shared/streams/egress.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <spdlog/spdlog.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>

namespace vigil::egress {

namespace asio = boost::asio;
using protocol::Cause;
using protocol::CauseCode;
using streams::StreamSocket;

namespace {

constexpr auto session_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t max_credentials_bytes = 1024;

Cause connect_failed(const std::string& host, const std::string& reason) {
    return protocol::make_cause(CauseCode::egress_connect_failed, {{"host", host}, {"reason", reason}});
}

struct Endpoint {
    sockaddr_storage storage{};
    std::size_t size = 0;
    int family = AF_INET;
};

Endpoint endpoint_of(const Address& address, std::uint16_t port) {
    Endpoint endpoint;
    if (address.ipv6) {
        auto& in6 = reinterpret_cast<sockaddr_in6&>(endpoint.storage);
        in6.sin6_family = AF_INET6;
        in6.sin6_port = htons(port);
        std::memcpy(&in6.sin6_addr, address.bytes.data(), 16);
        endpoint.size = sizeof in6;
        endpoint.family = AF_INET6;
    } else {
        auto& in = reinterpret_cast<sockaddr_in&>(endpoint.storage);
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        std::memcpy(&in.sin_addr, address.bytes.data(), 4);
        endpoint.size = sizeof in;
    }
    return endpoint;
}

/// "user:password" of a file that only the daemon's user may read. The guest reads what is said of it: no path of this machine.
Result<std::string> read_credentials(const std::string& folder, const std::string& name) {
    const std::string path = folder + "/" + name, file_text = "the credentials egress/" + name + " of the daemon's state";
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return Error(Errc::not_found, file_text + " do not exist; write USER:PASSWORD there, mode 0600");
    if ((status.st_mode & 077) != 0) return Error(Errc::denied, file_text + " can be read by others; chmod 0600");
    std::ifstream file(path, std::ios::binary);
    std::string text(max_credentials_bytes, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    if (text.find(':') == std::string::npos) return Error(Errc::invalid, file_text + " are not USER:PASSWORD");
    return text;
}

class Session {
  public:
    Session(StreamSocket socket, SessionHost& host, Room room)
        : executor_(socket.get_executor()), agent_(std::move(socket)), host_(host), room_(room), outside_(executor_) {
        ++host_.counters.open;
    }
    ~Session() { --host_.counters.open; }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    asio::awaitable<void> run() {
        auto greeting = greet();
        auto greeted = co_await async::with_deadline(std::move(greeting), host_.limits.hello_deadline, "the agent's hello");
        if (!greeted) {
            ++host_.counters.strangers;
            spdlog::warn("egress.stranger err=\"{}\"", greeted.error().message());
            co_return;
        }
        auto reading = read_request();
        auto read = co_await async::with_deadline(std::move(reading), host_.limits.head_deadline, "the request");
        if (!read) co_return co_await refuse(400, "invalid", "malformed proxy request", read.error().message());
        if (room_ == Room::none) {
            auto full = denied(request_.destination, {std::to_string(host_.limits.max_connections) + " connections leave this VM already; the next has to wait for the end of one"});
            co_return co_await refuse_by(std::move(full));
        }
        auto cause = co_await reach();
        if (cause) co_return co_await refuse_by(std::move(*cause));
        ++host_.counters.passed;
        co_await pass();
    }

  private:
    asio::awaitable<Result<void>> greet() {
        framing::FrameReader frames(streams::max_egress_hello_bytes);
        std::vector<char> block(4096);
        for (;;) {
            CO_TRY(frame, frames.next());
            if (frame) {
                CO_TRY(hello, streams::decode_egress_hello(*frame));
                if (!host_.is_agent(hello.boot, hello.token)) co_return Error(Errc::denied, "it does not have the token of this boot");
                streams::GuestStream stream;
                stream.fd.reset(agent_.release());
                stream.unread = frames.take_rest();
                guest_.emplace(executor_, std::move(stream));
                co_return Result<void>();
            }
            auto got = co_await agent_.async_read_some(asio::buffer(block), session_result);
            if (std::get<0>(got)) co_return Error(Errc::unavailable, "it left before its hello");
            frames.feed({block.data(), std::get<1>(got)});
        }
    }

    asio::awaitable<Result<void>> read_request() {
        for (;;) {
            CO_TRY(size, http1::head_size(unread_));
            if (size) {
                CO_TRY(head, http1::parse_request_head(std::string_view(unread_).substr(0, *size)));
                unread_.erase(0, *size);
                method_ = head.method;
                CO_TRY(request, read_proxy_request(head));
                request_ = std::move(request);
                co_return Result<void>();
            }
            auto bytes = co_await guest_->read();
            if (!bytes) co_return bytes.error();
            if (bytes->empty()) co_return Error(Errc::invalid, "the client ended before it had asked");
            unread_ += *bytes;
        }
    }

    // ---- the way out ----

    asio::awaitable<std::optional<Cause>> reach() {
        auto refused = may_not_go(host_.policy, request_.destination);
        if (refused) co_return refused;
        if (host_.policy.mode == machine::EgressMode::upstream) co_return co_await reach_upstream();
        const std::string name = request_.destination.text();
        auto found = co_await addresses_of(request_.destination);
        if (!found) {
            auto cause = protocol::make_cause(CauseCode::egress_dns_failed, {{"host", request_.destination.host}}, std::vector<std::string>(1, found.error().message()));
            co_return cause;
        }
        auto dialable = choose_addresses(host_.policy, *found);
        if (dialable.addresses.empty()) co_return denied(request_.destination, std::move(dialable.left_out));
        co_return co_await dial(std::move(dialable.addresses), request_.destination.port, name);
    }

    asio::awaitable<Result<std::vector<Address>>> addresses_of(Destination destination) {
        if (destination.address) co_return std::vector<Address>(1, *destination.address);
        auto found = co_await resolve(host_.lookups.get(), &host_.policy, destination.host, host_.limits.resolve_deadline);
        co_return found;
    }

    /// The addresses that were checked are the ones that are dialled: nobody asks a resolver again.
    asio::awaitable<std::optional<Cause>> dial(std::vector<Address> addresses, std::uint16_t port, std::string name) {
        std::string reason = "no address";
        if (addresses.size() > host_.limits.max_tries) addresses.resize(host_.limits.max_tries);
        for (const auto& address : addresses) {
            auto work = connect_to(address, port);
            auto connected = co_await async::with_deadline(std::move(work), host_.limits.connect_deadline, address.text());
            if (connected) co_return std::nullopt;
            reason = connected.error().message();
        }
        co_return connect_failed(name, reason);
    }

    asio::awaitable<Result<void>> connect_to(Address address, std::uint16_t port) {
        const auto endpoint = endpoint_of(address, port);
        boost::system::error_code failure;
        if (outside_.is_open()) outside_.close(failure);
        outside_.open(asio::generic::stream_protocol(endpoint.family, IPPROTO_TCP), failure);
        if (failure) co_return Error(Errc::io, failure.message());
        const asio::generic::stream_protocol::endpoint target(&endpoint.storage, endpoint.size);
        auto connected = co_await outside_.async_connect(target, session_result);
        if (std::get<0>(connected)) co_return Error(Errc::unavailable, address.text() + ": " + std::get<0>(connected).message());
        const int on = 1;
        ::setsockopt(outside_.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        co_return Result<void>();
    }

    // ---- through an upstream proxy ----

    asio::awaitable<std::optional<Cause>> reach_upstream() {
        const auto& upstream = *host_.policy.upstream;
        const std::string name = upstream.host + ":" + std::to_string(upstream.port);
        const Destination proxy{upstream.host, upstream.port, parse_address(upstream.host)};
        auto found = co_await addresses_of(proxy);
        if (!found) {
            auto cause = protocol::make_cause(CauseCode::egress_dns_failed, {{"host", upstream.host}}, std::vector<std::string>(1, found.error().message()));
            co_return cause;
        }
        auto unreached = co_await dial(std::move(*found), upstream.port, name);
        if (unreached) co_return unreached;
        auto fields = upstream_fields();
        if (!fields) co_return connect_failed(name, fields.error().message());
        if (!request_.tunnel) {
            request_.onward.target = "http://" + authority() + request_.onward.target;
            request_.onward.fields.insert(request_.onward.fields.end(), fields->begin(), fields->end());
            co_return std::nullopt;
        }
        auto work = ask_upstream(std::move(*fields));
        auto status = co_await async::with_deadline(std::move(work), host_.limits.upstream_deadline, name);
        if (!status) co_return connect_failed(name, status.error().message());
        if (*status / 100 == 2) co_return std::nullopt;
        co_return upstream_refused(*status);
    }

    std::string authority() const { return request_.destination.text(); }

    Cause upstream_refused(int status) const {
        const auto& upstream = *host_.policy.upstream;
        std::string evidence = upstream.host + ":" + std::to_string(upstream.port) + " was asked for " + authority() + " and answered " + std::to_string(status);
        if (status == 407 && upstream.credentials.empty()) evidence += ": it wants a user and a password, and the policy's upstream.credentials names none";
        else if (status == 407) evidence += ": it does not take the user and password of the credentials " + upstream.credentials;
        else if (status == 403) evidence += ": its own rules forbid this destination, or this user";
        return protocol::make_cause(CauseCode::egress_upstream_refused, {{"status", std::int64_t{status}}}, std::vector<std::string>(1, evidence));
    }

    Result<http1::Fields> upstream_fields() const {
        http1::Fields fields;
        const auto& name = host_.policy.upstream->credentials;
        if (name.empty()) return fields;
        TRY(credentials, read_credentials(host_.credentials_dir, name));
        fields.push_back({"Proxy-Authorization", "Basic " + to_base64(credentials)});
        return fields;
    }

    asio::awaitable<Result<int>> ask_upstream(http1::Fields more) {
        http1::RequestHead head;
        head.method = "CONNECT";
        head.target = authority();
        head.fields.push_back({"Host", authority()});
        head.fields.insert(head.fields.end(), more.begin(), more.end());
        const std::string text = http1::to_text(head);
        auto written = co_await asio::async_write(outside_, asio::buffer(text), session_result);
        if (std::get<0>(written)) co_return Error(Errc::unavailable, "the upstream proxy closed the connection");
        auto answer = co_await read_upstream_head();
        if (!answer) co_return answer.error();
        co_return answer->status;
    }

    asio::awaitable<Result<http1::ResponseHead>> read_upstream_head() {
        std::vector<char> block(4096);
        for (;;) {
            CO_TRY(size, http1::head_size(from_outside_));
            if (size) {
                auto head = http1::parse_response_head(std::string_view(from_outside_).substr(0, *size));
                if (request_.tunnel) from_outside_.erase(0, *size);   // what follows is the tunnel's
                co_return head;
            }
            auto got = co_await outside_.async_read_some(asio::buffer(block), session_result);
            if (std::get<0>(got)) co_return Error(Errc::unavailable, "the upstream proxy closed the connection");
            from_outside_.append(block.data(), std::get<1>(got));
        }
    }

    // ---- both ways ----

    asio::awaitable<void> pass() {
        if (request_.tunnel) {
            auto told = co_await guest_->write("HTTP/1.1 200 Connection established\r\n\r\n");
            if (!told) co_return;
        } else {
            const std::string head = http1::to_text(request_.onward);
            auto written = co_await asio::async_write(outside_, asio::buffer(head), session_result);
            if (std::get<0>(written)) co_return co_await refuse_by(connect_failed(authority(), "it closed the connection"));
        }
        auto relay = make_relay();
        co_await streams::relay_raw(std::move(relay));
        const auto failure = tls_.failure();
        if (!request_.tunnel || failure.empty()) co_return;
        const auto cause = protocol::make_cause(CauseCode::egress_tls_failed, {{"host", authority()}}, std::vector<std::string>(1, failure));
        ++host_.counters.refused[cause.text];
        host_.refused(cause);
    }

    streams::RawRelay make_relay() {
        streams::RawRelay relay{&outside_, &*guest_, std::exchange(from_outside_, {}), std::exchange(unread_, {}), {}, {}, host_.limits.linger};
        body_.emplace(request_.framing);
        relay.from_guest = [this](std::string_view bytes) -> Result<std::size_t> {
            host_.counters.bytes_out += bytes.size();
            if (request_.tunnel) return tls_.from_client(bytes), bytes.size();
            return body_->take(bytes);   // a second request would go to the first one's host, whatever it asks for
        };
        relay.to_guest = [this](std::string_view bytes) -> Result<std::size_t> {
            host_.counters.bytes_in += bytes.size();
            if (request_.tunnel) tls_.from_server(bytes);
            else look_for_refusal(bytes);
            return bytes.size();
        };
        return relay;
    }

    /// An upstream proxy's 407 to a plain request is its refusal, not the origin's answer.
    void look_for_refusal(std::string_view bytes) {
        if (host_.policy.mode != machine::EgressMode::upstream || first_line_.size() >= 12) return;
        first_line_ += bytes.substr(0, 12 - first_line_.size());
        if (first_line_.size() < 12 || first_line_.substr(9) != "407") return;
        const auto cause = upstream_refused(407);
        ++host_.counters.refused[cause.text];
        host_.refused(cause);
    }

    // ---- refusals ----

    asio::awaitable<void> refuse_by(Cause cause) {
        host_.refused(cause);
        const bool forbidden = cause.code == CauseCode::egress_denied;
        std::string detail = protocol::sentence(cause);
        if (!cause.evidence.empty()) detail += " (" + cause.evidence.front() + ")";
        const int status = forbidden ? 403 : 502;
        detail += "; " + protocol::advice(cause);
        co_await refuse(status, cause.text, "the connection was not made", std::move(detail));
    }

    asio::awaitable<void> refuse(int status, std::string code, std::string title, std::string detail) {
        ++host_.counters.refused[code];
        spdlog::debug("egress.refused code={} detail=\"{}\"", code, detail);
        http::Problem problem;
        problem.status = status;
        problem.code = std::move(code);
        problem.title = std::move(title);
        problem.detail = std::move(detail);
        const auto document = http::problem_response(problem);
        http1::ResponseHead head;
        head.status = status;
        head.reason = problem.title;
        head.fields.push_back({"Content-Type", document.content_type});
        head.fields.push_back({"Content-Length", std::to_string(document.body.size())});
        head.fields.push_back({"Vigil-Cause", problem.code});
        head.fields.push_back({"Connection", "close"});
        std::string text = http1::to_text(head);
        if (method_ != "HEAD") text += document.body;
        co_await guest_->write(std::move(text));
        co_await guest_->end();
        auto rest = until_last_word();
        co_await async::with_deadline(std::move(rest), host_.limits.farewell_deadline, "the guest's end");
    }

    asio::awaitable<Result<void>> until_last_word() {
        co_await guest_->last_word();
        co_return Result<void>();
    }

    asio::any_io_executor executor_;
    StreamSocket agent_;                       // until the hello
    SessionHost& host_;
    Room room_;
    StreamSocket outside_;
    std::optional<streams::GuestPipe> guest_;
    std::string unread_, from_outside_, method_, first_line_;
    ProxyRequest request_;
    std::optional<http1::BodyScanner> body_;
    TlsWatch tls_;
};

}  // namespace

asio::awaitable<void> serve_connection(StreamSocket socket, SessionHost* host, Room room) {
    Session session(std::move(socket), *host, room);
    co_await session.run();
}

}  // namespace vigil::egress
