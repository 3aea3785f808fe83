// What a program may ask, where its VM may go, which addresses may be dialled, and how often a refusal is told.
#include "host/egress/judge.hpp"
#include "host/egress/refusal_teller.hpp"
#include "host/egress/self_test.hpp"
#include "host/egress/tls_watch.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::egress {

namespace {

Result<ProxyRequest> ask(const std::string& line, const std::string& fields = "Host: x\r\n") {
    TRY(head, http1::parse_request_head(line + " HTTP/1.1\r\n" + fields + "\r\n"));
    return read_proxy_request(head);
}

std::string connect_to(const std::string& target) {
    const auto request = ask("CONNECT " + target);
    return request ? request->destination.text() : "refused";
}

machine::EgressPolicy policy(const std::string& json) {
    auto parsed = machine::parse_egress_policy(json);
    REQUIRE(parsed.has_value());
    return *parsed;
}

bool may(const machine::EgressPolicy& by, const std::string& target) { return !may_not_go(by, ask("CONNECT " + target)->destination); }

}  // namespace

TEST_CASE("egress request: CONNECT names one host and one port", "[host][egress]") {
    CHECK(connect_to("Example.COM:443") == "example.com:443");
    CHECK(connect_to("example.com.:443") == "example.com:443");
    CHECK(connect_to("[2001:DB8::1]:443") == "[2001:db8::1]:443");
    CHECK(connect_to("192.0.2.1:80") == "192.0.2.1:80");
    CHECK(connect_to("[::ffff:10.0.0.1]:80") == "10.0.0.1:80");   // as what it is
    for (const auto* target : {"example.com", "example.com:", "example.com:0", "example.com:65536", "example.com:4 43", "user@example.com:443", "a:b@c:443", "example.com:443/", "/", "*",
                               "http://example.com:443", "[::1", "[::1%lo]:443", "[127.0.0.1]:443", "::1:443", "[::1]443", "exa mple:1", "ex\\ample:443", ".com:1", "a..b:1", "127.1:80",
                               "2130706433:80", "0x7f000001:80", "0177.0.0.1:80", "127.0.0.01:80", "1.2.3.4.5:80", "256.1.1.1:80", "127.0.0.1.:80x", "ex%61mple.com:443", "example.com:443#x"}) {
        CAPTURE(target);
        CHECK(connect_to(target) == "refused");
    }
    CHECK(connect_to("127.0.0.1.:80") == "127.0.0.1:80");
    CHECK(ask("CONNECT a.b:443", "Host: x\r\nContent-Length: 5\r\n").has_error());
    CHECK(ask("CONNECT a.b:443", "Host: x\r\nTransfer-Encoding: chunked\r\n").has_error());
    CHECK(ask("CONNECT a.b:443", "Host: x\r\nContent-Length: 0\r\n").has_value());
    CHECK(ask("CONNECT a.b:443", "").has_error());
    CHECK(ask("CONNECT a.b:443", "Host: x\r\nHost: y\r\n").has_error());
}

TEST_CASE("egress request: an absolute target decides, whatever Host says", "[host][egress]") {
    const auto request = ask("GET http://Example.com/a?b", "Host: internal\r\nConnection: X-Mine\r\nX-Mine: 1\r\nProxy-Authorization: Basic x\r\nAccept: */*\r\n");
    REQUIRE(request.has_value());
    CHECK(request->destination == Destination{"example.com", 80, std::nullopt});
    CHECK(http1::to_text(request->onward) == "GET /a?b HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    CHECK(ask("GET http://[2001:db8::1]:81")->onward.fields.front() == http1::Field{"Host", "[2001:db8::1]:81"});
    CHECK(ask("GET http://a.b?x")->onward.target == "/?x");
    CHECK(ask("OPTIONS http://a.b")->onward.target == "/");
    for (const auto* target : {"/", "*", "a.b/", "ftp://a.b/", "http:///x", "http://u@a.b/", "http://u:p@a.b/", "http://a.b:/", "http://a.b:x/", "http://a.b/#f", "http://a\\@b/", "http:/a.b/", "//a.b/"})
        CHECK(ask(std::string("GET ") + target).has_error());
    CHECK(ask("TRACE http://a.b/").error().code() == Errc::unsupported);   // its answer would show an upstream's credentials
    CHECK(ask("GET https://a.b/").error().code() == Errc::unsupported);
    CHECK(ask("POST http://a.b/", "Host: a.b\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n").has_error());
}

TEST_CASE("egress address: what is not of the public internet is known as such", "[host][egress]") {
    for (const auto* text : {"127.0.0.1", "127.255.255.255", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "168.63.129.16", "100.64.0.1", "192.0.0.8", "224.0.0.1",
                             "255.255.255.255", "198.18.0.1", "::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8%", "64:ff9b::7f00:1",
                             "2002:7f00:1::", "2001::1", "2001:db8::1", "::127.0.0.1", "4000::1"}) {
        CAPTURE(text);
        const auto address = parse_address(text);
        CHECK((!address || special_kind(*address)));
    }
    for (const auto* text : {"8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"}) {
        CAPTURE(text);
        CHECK_FALSE(special_kind(*parse_address(text)));
    }
    CHECK(in_networks(*parse_address("10.1.2.3"), {"192.0.2.0/24", "10.0.0.0/8"}));
    CHECK_FALSE(in_networks(*parse_address("11.1.2.3"), {"10.0.0.0/8"}));
    CHECK(in_networks(*parse_address("10.1.2.3"), {"10.1.2.3/32"}));
    CHECK_FALSE(in_networks(*parse_address("10.1.2.2"), {"10.1.2.3/32"}));
    CHECK(in_networks(*parse_address("fd00::5"), {"fd00::/8"}));
    CHECK_FALSE(in_networks(*parse_address("10.0.0.1"), {"::/0"}));
}

TEST_CASE("egress policy: faults name the member", "[host][egress]") {
    for (const auto* text : {R"("open")", R"({"mode":"some"})", R"({"mode":"allow"})", R"({"allow":["a b"]})", R"({"allow":["a:99999"]})", R"({"allow":["*x.com"]})", R"({"allow":["http://a"]})",
                             R"({"mode":"deny","allow":["a"]})", R"({"mode":"direct","networks":["10.0.0.0"]})", R"({"mode":"direct","networks":["10.0.0.0/33"]})",
                             R"({"mode":"direct","hosts":{"a":"b"}})", R"({"mode":"upstream"})", R"({"mode":"upstream","upstream":{"proxy":"a"}})",
                             R"({"mode":"upstream","upstream":{"proxy":"a:1","credentials":"../x"}})", R"({"mode":"direct","upstream":{"proxy":"a:1"}})", R"({"typo":1})", "[]", "7"}) {
        CAPTURE(text);
        const auto parsed = machine::parse_egress_policy(text);
        REQUIRE(parsed.has_error());
        CHECK(parsed.error().code() == Errc::invalid);
    }
    CHECK(policy(R"("direct")").mode == machine::EgressMode::direct);
    CHECK(policy(R"({"allow":["A.b:1,2","[::1]:80"]})").allow == std::vector<machine::EgressRule>{{"a.b", {1, 2}}, {"::1", {80}}});
}

TEST_CASE("egress judge: the policy's words, and no address behind them", "[host][egress]") {
    const auto rules = policy(R"({"allow":["api.example.com","*.cdn.example.com:8443","8.8.8.8:53"]})");
    CHECK(may(rules, "api.example.com:443"));
    CHECK(may(rules, "API.example.com.:80"));
    CHECK_FALSE(may(rules, "api.example.com:22"));
    CHECK_FALSE(may(rules, "x.api.example.com:443"));
    CHECK(may(rules, "a.b.cdn.example.com:8443"));
    CHECK_FALSE(may(rules, "cdn.example.com:8443"));
    CHECK_FALSE(may(rules, "evilcdn.example.com:8443"));
    CHECK(may(rules, "8.8.8.8:53"));
    CHECK(may(rules, "[::ffff:8.8.8.8]:53"));
    CHECK_FALSE(may(rules, "8.8.4.4:53"));
    CHECK_FALSE(may(policy(R"("deny")"), "example.com:443"));
    CHECK(may(policy(R"("direct")"), "example.com:22"));
    CHECK_FALSE(may(policy(R"("direct")"), "127.0.0.1:22"));
    CHECK_FALSE(may(policy(R"({"allow":["127.0.0.1:22"]})"), "127.0.0.1:22"));   // a rule is not enough
    CHECK(may(policy(R"({"allow":["127.0.0.1:22"],"networks":["127.0.0.1/32"]})"), "127.0.0.1:22"));
    CHECK_FALSE(may(policy(R"({"mode":"upstream","upstream":{"proxy":"p:1"}})"), "169.254.169.254:80"));
    CHECK(may(policy(R"({"mode":"upstream","upstream":{"proxy":"p:1"}})"), "example.com:80"));
    for (const auto* own : {"localhost:22", "LOCALHOST.:22", "x.localhost:80", "metadata.google.internal:80", "metadata:80", "168.63.129.16:80"}) {
        CAPTURE(own);
        CHECK_FALSE(may(policy(R"({"mode":"upstream","upstream":{"proxy":"p:1"}})"), own));
        CHECK_FALSE(may(policy(R"({"mode":"upstream","upstream":{"proxy":"p:1"},"allow":["*"]})"), own));
    }
    CHECK(may(policy(R"({"mode":"upstream","upstream":{"proxy":"p:1"},"allow":["localhost:8080"]})"), "localhost:8080"));
    CHECK_FALSE(may(policy(R"({"mode":"upstream","upstream":{"proxy":"p:1"},"allow":["localhost:8080"]})"), "localhost:22"));
    const auto mixed = choose_addresses(policy(R"({"mode":"direct","family":"ipv4"})"), {*parse_address("10.0.0.1"), *parse_address("8.8.8.8"), *parse_address("2606:4700::1")});
    CHECK(mixed.addresses == std::vector<Address>{*parse_address("8.8.8.8")});
    CHECK(mixed.left_out.size() == 2);
    const auto six = choose_addresses(policy(R"({"mode":"direct","family":"ipv6"})"), {*parse_address("8.8.8.8"), *parse_address("2606:4700::1"), *parse_address("::1")});
    CHECK(six.addresses == std::vector<Address>{*parse_address("2606:4700::1")});
    CHECK(six.left_out.size() == 2);
}

TEST_CASE("egress refusals: told at once, then rarely and with their number", "[host][egress]") {
    RefusalTeller teller;
    const auto cause = [](const std::string& host) { return protocol::make_cause(protocol::CauseCode::egress_denied, {{"host", host}}); };
    CHECK(teller.happened(cause("a"), 1) == 1);
    CHECK_FALSE(teller.happened(cause("a"), 2));
    CHECK(teller.happened(cause("b"), 3) == 1);
    CHECK_FALSE(teller.happened(cause("a"), 4));
    CHECK(teller.happened(cause("a"), 10'000'002) == 3);
    std::size_t told = 0;
    for (int i = 0; i < 1000; ++i) told += teller.happened(cause("host" + std::to_string(i)), 10'000'003).has_value() ? 1 : 0;
    CHECK(told < RefusalTeller::max_a_minute);
    CHECK(teller.happened(cause("late"), 80'000'000) == 1);
}

TEST_CASE("egress TLS: a handshake that ends in an alert, or in another protocol, has failed", "[host][egress]") {
    const std::string hello("\x16\x03\x01\x00\x03" "abc", 8), answer("\x16\x03\x03\x00\x02" "de", 7), refusal("\x15\x03\x03\x00\x02\x02\x28", 7), data("\x17\x03\x03\x00\x01z", 6);
    const auto judge_all = [](const std::string& client, const std::string& server, std::size_t step) {
        TlsWatch watch;
        for (std::size_t at = 0; at < client.size(); at += step) watch.from_client(std::string_view(client).substr(at, step));
        for (std::size_t at = 0; at < server.size(); at += step) watch.from_server(std::string_view(server).substr(at, step));
        return watch.failure();
    };
    for (const std::size_t step : {1U, 2U, 100U}) {
        CHECK(judge_all(hello, answer + data, step).empty());
        CHECK(judge_all(hello, "", step).empty());
        CHECK(judge_all(hello, refusal, step).find("40") != std::string::npos);
        CHECK(judge_all(hello + refusal, answer, step).find("client") != std::string::npos);
        CHECK(judge_all(hello, "HTTP/1.1 400 Bad\r\n", step).find("does not speak TLS") != std::string::npos);
        CHECK(judge_all("SSH-2.0-x\r\n", refusal, step).empty());
        CHECK(judge_all(hello + data, answer + data + std::string("\x15\x03\x03\x00\x02\x01\x00", 7), step).empty());
    }
}

TEST_CASE("egress test: a target is a URL of the web, https without a scheme, and nothing that could mean two things", "[host][egress]") {
    const auto text_of = [](std::string_view target) {
        const auto parsed = parse_test_target(target);
        return parsed ? parsed->text() : "refused";
    };
    CHECK(text_of("api.Example.com") == "https://api.example.com:443/");
    CHECK(text_of("https://api.example.com:8443/v1?x=1") == "https://api.example.com:8443/v1?x=1");
    CHECK(text_of("http://api.example.com") == "http://api.example.com:80/");
    CHECK(text_of("http://[2001:db8::1]:81/") == "http://[2001:db8::1]:81/");
    CHECK(text_of("name?q") == "https://name:443/?q");
    for (const auto* const wrong : {"", "https://", "a b", "user@host", "host:0", "host:x", "http://host/#part", "http://host/\r\nX: y", "ftp://host/"}) CHECK(text_of(wrong) == "refused");
}

}  // namespace vigil::egress
