// What passes through a proxy, and what must not: two readers who take the same bytes differently are how requests are smuggled.
#include "host/http1/body.hpp"
#include "host/http1/hop.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::http1 {

namespace {

std::string request(const std::string& fields, const std::string& line = "POST /x HTTP/1.1") { return line + "\r\n" + fields + "\r\n"; }

Result<Framing> framing_of(const std::string& fields, const std::string& line = "POST /x HTTP/1.1") {
    TRY(head, parse_request_head(request(fields, line)));
    return request_framing(head);
}

/// Feeds in pieces of `step`; how many bytes the body took, or the error.
Result<std::size_t> scan(Framing framing, const std::string& bytes, std::size_t step) {
    BodyScanner scanner(framing);
    std::size_t taken = 0;
    while (taken < bytes.size() && !scanner.done()) {
        const auto piece = std::string_view(bytes).substr(taken, step);
        TRY(part, scanner.take(piece));
        taken += part;
        if (part < piece.size()) break;
    }
    if (!scanner.done()) return Error(Errc::unavailable, "not ended");
    return taken;
}

constexpr Framing chunked{Framing::Kind::chunked, 0};

}  // namespace

TEST_CASE("http1: a head is read as it stands and written back alike", "[host][http1]") {
    const std::string text = "GET /a?b=c HTTP/1.1\r\nHost: x:1\r\nX-Two:  spaced\t\r\nEmpty:\r\n\r\n";
    const auto size = head_size(text + "body");
    REQUIRE(size.has_value());
    CHECK(*size == text.size());
    const auto head = parse_request_head(text);
    REQUIRE(head.has_value());
    CHECK(head->method == "GET");
    CHECK(head->target == "/a?b=c");
    CHECK(head->fields == Fields{{"Host", "x:1"}, {"X-Two", "spaced"}, {"Empty", ""}});
    CHECK(to_text(*head) == "GET /a?b=c HTTP/1.1\r\nHost: x:1\r\nX-Two: spaced\r\nEmpty: \r\n\r\n");
    const auto answer = parse_response_head("HTTP/1.0 404 Not here\r\nA: b\r\n\r\n");
    REQUIRE(answer.has_value());
    CHECK(answer->status == 404);
    CHECK(answer->minor == 0);
    CHECK(answer->reason == "Not here");
    CHECK(parse_response_head("HTTP/1.1 200\r\n\r\n")->status == 200);
}

TEST_CASE("http1: heads that two readers could take differently are refused", "[host][http1]") {
    const std::string bad[] = {
        request("Host : x\r\n"), request(" Host: x\r\n"), request("Host: x\r\n folded\r\n"), request("A\r\n"), request(": x\r\n"), request("A: x\ny\r\n"),
        request("A: x\ry\r\n"), request(std::string("A: x\0y\r\n", 8)), request("A: \x01\r\n"), request("", "GET  / HTTP/1.1"), request("", "GET / x HTTP/1.1"),
        request("", "GET / HTTP/1.2"), request("", "GET / HTTP/2.0"), request("", "GET /"), request("", "G(T / HTTP/1.1"), request("", "GET /\x7f HTTP/1.1"),
        request("", "GET /\xc3\xa4 HTTP/1.1"), request("", " GET / HTTP/1.1"), request("", "GET\t/ HTTP/1.1"), "GET / HTTP/1.1\r\nA: b\r\n", "\r\n\r\n"};
    for (const auto& text : bad) {
        CAPTURE(text);
        CHECK(parse_request_head(text).has_error());
    }
    for (const auto* text : {"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 600 X\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n"})
        CHECK(parse_response_head(text).has_error());
    CHECK(head_size("GET / HTTP/1.1\nHost: x\n\n").has_error());
    CHECK(head_size(std::string(max_head_bytes, 'x')).error().code() == Errc::limit);
    CHECK_FALSE(head_size("GET / HTTP/1.1\r\n")->has_value());
    std::string many;
    for (std::size_t i = 0; i <= max_fields; ++i) many += "A: b\r\n";
    CHECK(parse_request_head(request(many)).error().code() == Errc::limit);
}

TEST_CASE("http1: framing has one meaning or none", "[host][http1]") {
    CHECK(*framing_of("") == Framing{});
    CHECK(*framing_of("Content-Length: 12\r\n") == Framing{Framing::Kind::length, 12});
    CHECK(*framing_of("transfer-encoding: CHUNKED\r\n") == chunked);
    for (const auto* fields : {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: 1, 1\r\n",
                               "Content-Length: +1\r\n", "Content-Length: -1\r\n", "Content-Length: 0x1\r\n", "Content-Length: \r\n", "Content-Length: 1 2\r\n",
                               "Content-Length: 9999999999999999999\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked, identity\r\n",
                               "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: \x0b" "chunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                               "Transfer-Encoding: \"chunked\"\r\n", "Transfer-Encoding:\r\n"}) {
        CAPTURE(fields);
        CHECK(framing_of(fields).has_error());
    }
    CHECK(framing_of("Transfer-Encoding: chunked\r\n", "POST / HTTP/1.0").has_error());
    const auto answer = [](const std::string& status, const std::string& fields, const char* method) {
        return response_framing(*parse_response_head("HTTP/1.1 " + status + "\r\n" + fields + "\r\n"), method);
    };
    CHECK(*answer("200 OK", "", "GET") == Framing{Framing::Kind::until_close, 0});
    CHECK(*answer("200 OK", "Content-Length: 5\r\n", "HEAD") == Framing{});
    CHECK(*answer("304 X", "Content-Length: 5\r\n", "GET") == Framing{});
    CHECK(*answer("204 X", "", "GET") == Framing{});
    CHECK(*answer("100 X", "", "POST") == Framing{});
    CHECK(answer("204 X", "Transfer-Encoding: chunked\r\n", "GET").has_error());
    CHECK(answer("200 X", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "GET").has_error());
}

TEST_CASE("http1: a body ends where it says, however the reads are cut", "[host][http1]") {
    const std::string body = "4;name=value\r\nwiki\r\n5\r\npedia\r\n0\r\nX-Sum: 1\r\n\r\n";
    for (const std::size_t step : {1U, 2U, 3U, 7U, 1000U}) {
        CHECK(*scan(chunked, body + "GET /next", step) == body.size());
        CHECK(*scan({Framing::Kind::length, 5}, "12345678", step) == 5);
        for (const std::string bad : {"4\nwiki", "4 \r\nwiki\r\n", " 4\r\n", "0x4\r\n", "\r\n", "-1\r\n", "4\r\nwikis\r\n", "1234567890123456\r\n", "4;\x01\r\n", "4\r\rwiki", "4\r\nwiki\n\n",
                                      "0\r\nContent-Length: 5\r\n\r\n", "0\r\nTransfer-Encoding: x\r\n\r\n", "0\r\nno colon\r\n\r\n", "0\r\n folded: x\r\n\r\n", "0\n\n"}) {
            CAPTURE(bad, step);
            const auto result = scan(chunked, bad, step);
            REQUIRE(result.has_error());
            CHECK(result.error().code() == Errc::invalid);
        }
        CHECK(scan(chunked, "4;" + std::string(5000, 'x'), step).error().code() == Errc::limit);
    }
    CHECK(*scan({}, "x", 1) == 0);
    BodyScanner open({Framing::Kind::until_close, 0});
    CHECK(*open.take("anything") == 8);
    CHECK(open.may_end_now());
    BodyScanner cut({Framing::Kind::length, 9});
    CHECK(*cut.take("anything") == 8);
    CHECK_FALSE(cut.may_end_now());
}

TEST_CASE("http1: what is of one hop goes no further; Connection cannot take away what frames the message", "[host][http1]") {
    Fields fields{{"Connection", "keep-alive, X-Mine, upgrade"}, {"Keep-Alive", "5"}, {"X-Mine", "1"}, {"Upgrade", "websocket"}, {"TE", "trailers"},
                  {"Proxy-Authorization", "Basic x"}, {"Content-Length", "3"}, {"Accept", "*/*"}};
    CHECK(upgrade_of(fields) == "websocket");
    REQUIRE(remove_hop_fields(fields).has_value());
    CHECK(fields == Fields{{"Content-Length", "3"}, {"Accept", "*/*"}});
    for (const auto* name : {"Content-Length", "host", "Transfer-Encoding"}) {
        Fields bad{{"Connection", name}};
        CHECK(remove_hop_fields(bad).has_error());
    }
    CHECK(upgrade_of({{"Upgrade", "websocket"}}) == std::nullopt);
}

}  // namespace vigil::http1
