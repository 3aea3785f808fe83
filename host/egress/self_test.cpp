#include "host/egress/self_test.hpp"

#include "host/async/deadline.hpp"
#include "host/egress/tls_talk.hpp"
#include "host/streams/guest_pipe.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace vigil::egress {

namespace asio = boost::asio;

namespace {

constexpr std::size_t max_problem_bytes = 8 * 1024;
constexpr int gateway_trouble = 500, proxy_wants_credentials = 407;

struct Refusal {
    std::string_view cause;
    TestStep step;
};
constexpr Refusal refusals[] = {{"egress.denied", TestStep::policy},
                                {"egress.dns_failed", TestStep::resolve},
                                {"egress.connect_failed", TestStep::connect},
                                {"egress.upstream_refused", TestStep::upstream}};

/// The proxy's own words, from its problem document.
std::string detail_of(const std::string& body, const std::string& otherwise) {
    const auto object = parse_json(body);
    const auto text = object && object->is_object() ? try_read_string(*object, "detail") : Result<std::optional<std::string>>(std::nullopt);
    return text && *text ? **text : otherwise;
}

class SelfTest {
  public:
    SelfTest(asio::any_io_executor executor, streams::GuestStream stream, TestTarget target) : pipe_(executor, std::move(stream)), target_(std::move(target)) {}

    asio::awaitable<Result<void>> run() {
        passed(TestStep::proxy, "the proxy in the VM takes connections");
        if (target_.tls) {
            auto open = co_await open_tunnel();
            if (!open) co_return open.error();
            if (!*open) co_return Result<void>();
            tls_.emplace(pipe_, target_.destination.host, target_.destination.address.has_value());
            auto shaken = co_await tls_->handshake();
            if (!shaken) co_return failed(TestStep::tls, "egress.tls_failed", shaken.error().message());
            passed(TestStep::tls, tls_->facts());
        }
        auto asked = co_await ask_for_page();
        co_return asked;
    }

    SelfTestReport take_report() { return std::move(report_); }
    void close() { pipe_.close(); }
    /// The step that was under way when the time was over.
    void ran_out_of_time(const std::string& what) {
        const auto last = report_.steps.empty() ? TestStep::proxy : report_.steps.back().step;
        if (report_.steps.empty() || report_.steps.back().passed) failed(next_after(last), "", what);
    }

  private:
    TestStep next_after(TestStep step) const {
        if (step == TestStep::proxy) return by_upstream() ? TestStep::upstream : TestStep::connect;   // policy and names are quick, or tell
        if ((step == TestStep::connect || step == TestStep::upstream) && target_.tls) return TestStep::tls;
        return TestStep::status;
    }
    void passed(TestStep step, std::string detail) { report_.steps.push_back({step, true, std::move(detail)}); }
    Result<void> failed(TestStep step, std::string cause, std::string detail) {
        report_.steps.push_back({step, false, std::move(detail)});
        report_.cause = std::move(cause);
        return {};
    }
    std::string authority() const { return target_.destination.text(); }
    bool by_upstream() const { return !target_.upstream.empty(); }

    void got_through() {
        passed(TestStep::policy, "");
        if (by_upstream()) return passed(TestStep::upstream, target_.upstream + (target_.tls ? " is reached and opened a tunnel to " : " is reached and asked for ") + authority());
        passed(TestStep::resolve, "");
        passed(TestStep::connect, authority() + " is reached");
    }

    /// What the proxy refused, as the steps up to it.
    void refused(const std::string& cause, const std::string& detail) {
        const auto* const known = std::ranges::find(refusals, cause, &Refusal::cause);
        auto step = known == std::end(refusals) ? TestStep::proxy : known->step;
        if (by_upstream() && step > TestStep::policy) step = TestStep::upstream;   // whose name and port the refusal is about
        if (step == TestStep::proxy) report_.steps.clear();
        for (const auto before : {TestStep::policy, TestStep::resolve, TestStep::connect})
            if (before < step && (before == TestStep::policy || !by_upstream())) passed(before, "");
        failed(step, cause, step == TestStep::upstream && by_upstream() ? "the upstream proxy " + target_.upstream + ": " + detail : detail);
    }

    asio::awaitable<Result<bool>> open_tunnel() {
        const std::string request = "CONNECT " + authority() + " HTTP/1.1\r\nHost: " + authority() + "\r\n\r\n";
        auto written = co_await pipe_.write(request);
        if (!written) co_return written.error();
        auto head = co_await read_head();
        if (!head) co_return head.error();
        const bool open = head->status / 100 == 2;
        if (open) got_through();
        else co_await take_refusal(*head);
        co_return open;
    }

    asio::awaitable<void> take_refusal(http1::ResponseHead head) {
        while (unread_.size() < max_problem_bytes) {
            auto more = co_await next_bytes();
            if (!more || more->empty()) break;
            unread_ += *more;
        }
        const auto cause = http1::single_field(head.fields, "vigil-cause");
        const auto known = cause && *cause ? **cause : std::string();
        refused(known, detail_of(unread_, "the proxy answered " + std::to_string(head.status)));
    }

    asio::awaitable<Result<void>> ask_for_page() {
        const std::string target = target_.tls ? target_.path : "http://" + authority() + target_.path;
        std::string request = "GET " + target + " HTTP/1.1\r\nHost: " + authority() + "\r\nUser-Agent: vigil-egress-test\r\nAccept: */*\r\nConnection: close\r\n\r\n";
        auto written = tls_ ? tls_->write(std::move(request)) : pipe_.write(std::move(request));
        auto done = co_await std::move(written);
        if (!done) co_return done.error();
        auto head = co_await read_head();
        if (!head) co_return failed(TestStep::status, "", head.error().message());
        const auto cause = http1::single_field(head->fields, "vigil-cause");
        const bool by_proxy = !tls_ && cause && *cause;
        if (by_proxy) {
            co_await take_refusal(*head);
            co_return Result<void>();
        }
        if (!tls_ && by_upstream() && head->status == proxy_wants_credentials) {
            refused("egress.upstream_refused", "it answered 407; it wants a user and a password: upstream.credentials of the policy names the file that holds them");
            co_return Result<void>();
        }
        if (!tls_) got_through();
        const std::string line = "HTTP " + std::to_string(head->status) + (head->reason.empty() ? "" : " " + head->reason);
        if (head->status >= gateway_trouble) co_return failed(TestStep::status, "", line);
        passed(TestStep::status, line);
        co_return Result<void>();
    }

    asio::awaitable<Result<std::string>> next_bytes() {
        auto reading = tls_ ? tls_->read() : pipe_.read();
        auto bytes = co_await std::move(reading);
        co_return bytes;
    }

    asio::awaitable<Result<http1::ResponseHead>> read_head() {
        for (;;) {
            CO_TRY(size, http1::head_size(unread_));
            if (size) {
                auto head = http1::parse_response_head(std::string_view(unread_).substr(0, *size));
                unread_.erase(0, *size);
                co_return head;
            }
            auto bytes = co_await next_bytes();
            if (!bytes) co_return bytes.error();
            if (bytes->empty()) co_return Error(Errc::protocol, "the connection was closed without an answer");
            unread_ += *bytes;
        }
    }

    streams::GuestPipe pipe_;
    TestTarget target_;
    std::optional<TlsTalk> tls_;
    std::string unread_;
    SelfTestReport report_;
};

bool is_plain(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

std::string TestTarget::text() const { return (tls ? "https://" : "http://") + destination.text() + path; }

Result<TestTarget> parse_test_target(std::string_view text) {
    constexpr std::string_view https = "https://", http = "http://";
    TestTarget target;
    if (!is_plain(text)) return Error(Errc::invalid, "target: blanks and control characters have no place in it");
    if (text.starts_with(http)) target.tls = false;
    if (text.starts_with(https) || text.starts_with(http)) text.remove_prefix(target.tls ? https.size() : http.size());
    const auto end = std::min(text.find_first_of("/?#"), text.size());
    auto destination = parse_destination(text.substr(0, end), target.tls ? 443 : 80);
    if (!destination) return destination.error().with_context("target");
    target.destination = std::move(*destination);
    const auto rest = text.substr(end);
    if (rest.find('#') != std::string_view::npos) return Error(Errc::invalid, "target: a fragment is never sent");
    target.path = (rest.starts_with('/') ? "" : "/") + std::string(rest);
    return target;
}

asio::awaitable<SelfTestReport> run_self_test(streams::GuestStream stream, TestTarget target, std::chrono::milliseconds limit) {
    const auto began = std::chrono::steady_clock::now();
    auto executor = co_await asio::this_coro::executor;
    SelfTest test(executor, std::move(stream), std::move(target));
    auto running = test.run();
    auto ran = co_await async::with_deadline(std::move(running), limit, "the test");
    if (!ran) test.ran_out_of_time(ran.error().message());
    test.close();
    auto report = test.take_report();
    report.took_ms = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count());
    co_return report;
}

}  // namespace vigil::egress
