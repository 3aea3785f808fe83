// What a request means, what a browser may ask, and what of its head goes on.
#include "host/ports/address.hpp"
#include "host/ports/browser.hpp"
#include "host/ports/forward.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::ports {

using http1::Fields;
using http1::RequestHead;

namespace {

RequestHead get(const std::string& target, const std::string& host, Fields more = {}) {
    RequestHead head{"GET", target, 1, {{"Host", host}}};
    head.fields.insert(head.fields.end(), more.begin(), more.end());
    return head;
}

int status_of(const std::variant<Address, Refusal>& answer) {
    const auto* const refusal = std::get_if<Refusal>(&answer);
    return refusal == nullptr ? 0 : refusal->status;
}

Address meant(const std::string& target, const std::string& host) {
    auto answer = address_of(get(target, host));
    REQUIRE(std::holds_alternative<Address>(answer));
    return std::get<Address>(answer);
}

std::string field(const Fields& fields, const std::string& name) {
    const auto found = http1::single_field(fields, name);
    REQUIRE(found.has_value());
    return found->value_or("(none)");
}

}  // namespace

TEST_CASE("ports: a port is meant by path or by host", "[host][ports]") {
    CHECK(meant("/v1/instances/demo/ports/8080/a?b=c", "x") == Address{"demo", {8080, ""}, "/a?b=c", "/v1/instances/demo/ports/8080"});
    CHECK(meant("/v1/instances/vm-0/ports/web/", "x") == Address{"vm-0", {std::nullopt, "web"}, "/", "/v1/instances/vm-0/ports/web"});
    CHECK(meant("/v1/instances/demo/ports/8080/../../x", "x").target == "/../../x");
    CHECK(meant("/a", "8080--demo.localhost:9000") == Address{"demo", {8080, ""}, "/a", ""});
    CHECK(meant("/v1/instances/other/ports/1/", "WEB--my--vm.LOCALHOST.") == Address{"my--vm", {std::nullopt, "web"}, "/v1/instances/other/ports/1/", ""});
}

TEST_CASE("ports: what names no port is told so", "[host][ports]") {
    const std::pair<std::string, int> targets[] = {{"/", 404}, {"/v1/instances/demo", 404}, {"/v1/instances/demo/ports", 404}, {"/v1/instances/demo/ports/", 404},
                                                   {"/v1/instances/demo/ports/0/", 404}, {"/v1/instances/demo/ports/65536/", 404}, {"/v1/instances//ports/80/", 404},
                                                   {"/v1/instances/de%6do/ports/80/", 404}, {"/v1/instances/demo/services/ports/80/", 404}, {"/v1/instances/demo/ports/80", 308},
                                                   {"/v1/instances/demo/ports/80?x", 308}, {"http://demo/", 400}, {"*", 400}, {"demo:80", 400}};
    for (const auto& [target, status] : targets) {
        CAPTURE(target);
        CHECK(status_of(address_of(get(target, "x"))) == status);
    }
    CHECK(std::get<Refusal>(address_of(get("/v1/instances/demo/ports/80?x", "x"))).location == "/v1/instances/demo/ports/80/?x");
    const std::string long_label(300, 'a');
    for (const auto* host : {"demo.localhost", "80--.localhost", "--demo.localhost", "80--a.b.localhost", ".localhost"}) {
        CAPTURE(host);
        CHECK(status_of(address_of(get("/", host))) == 404);
    }
    CHECK(status_of(address_of(get("/", "80--" + long_label + ".localhost"))) == 404);
    for (const auto* host : {"a b", "a@b", "a:b", "[::1", "[::1]x", "a/b"}) CHECK(status_of(address_of(get("/", host))) == 400);
    CHECK(status_of(address_of(RequestHead{"GET", "/", 1, {}})) == 400);
    CHECK(status_of(address_of(get("/", "80--a.localhost", {{"Host", "80--b.localhost"}}))) == 400);
}

TEST_CASE("ports: a page in a browser reaches its own port, by host, and no other", "[host][ports]") {
    const auto judged = [](const RequestHead& head) {
        const auto address = address_of(head);
        REQUIRE(std::holds_alternative<Address>(address));
        const auto refusal = browser_may_not(head, std::get<Address>(address), "9000");
        return refusal ? refusal->status : 0;
    };
    const std::string path = "/v1/instances/demo/ports/80/x", own = "80--demo.localhost:9000";
    CHECK(judged(get(path, "127.0.0.1:9000")) == 0);   // curl
    CHECK(judged(get("/x", own)) == 0);
    CHECK(judged(get("/x", own, {{"Origin", "http://80--demo.localhost:9000"}, {"Sec-Fetch-Site", "same-origin"}})) == 0);
    CHECK(judged(get("/x", own, {{"Sec-Fetch-Site", "none"}, {"Sec-Fetch-Mode", "navigate"}})) == 0);
    CHECK(judged(get("/x", own, {{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}})) == 0);   // a link
    CHECK(judged(get("/x", own, {{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "no-cors"}})) == 403);
    CHECK(judged(get("/x", own, {{"Origin", "http://81--demo.localhost:9000"}, {"Upgrade", "websocket"}})) == 403);
    CHECK(judged(get("/x", own, {{"Origin", "null"}})) == 403);
    CHECK(judged(get("/x", own, {{"Origin", "http://80--demo.localhost:9000"}, {"Origin", "x"}})) == 403);
    auto post = get("/x", own, {{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}});
    post.method = "POST";
    CHECK(judged(post) == 403);
    CHECK(judged(get(path, "127.0.0.1:9000", {{"Sec-Fetch-Site", "none"}, {"Sec-Fetch-Mode", "navigate"}})) == 307);
    CHECK(judged(get(path, "127.0.0.1:9000", {{"Origin", "http://127.0.0.1:9000"}})) == 403);
    CHECK(judged(get(path, "rebound.example:9000")) == 421);
}

TEST_CASE("ports: the guest learns who asks from us, not from the client", "[host][ports]") {
    auto head = get("/v1/instances/demo/ports/80/x", "me:1",
                    {{"X-Forwarded-For", "1.2.3.4"}, {"forwarded", "for=1.2.3.4"}, {"X-Real-IP", "9"}, {"Connection", "close, X-Hop"}, {"X-Hop", "1"}, {"TE", "trailers"},
                     {"Prefer", "respond-async, wait=7"}, {"Cookie", "a=b"}});
    const auto address = std::get<Address>(address_of(head));
    const auto asked = read_asked(head);
    REQUIRE(asked.has_value());
    CHECK(asked->wait == std::chrono::seconds(7));
    CHECK_FALSE(asked->keep_alive);
    const auto sent = for_guest(head, address, *asked, "127.0.0.1");
    REQUIRE(sent.has_value());
    CHECK(sent->target == "/x");
    CHECK(field(sent->fields, "host") == "me:1");
    CHECK(field(sent->fields, "x-forwarded-for") == "127.0.0.1");
    CHECK(field(sent->fields, "x-forwarded-host") == "me:1");
    CHECK(field(sent->fields, "x-forwarded-prefix") == "/v1/instances/demo/ports/80");
    CHECK(field(sent->fields, "forwarded") == "(none)");
    CHECK(field(sent->fields, "x-real-ip") == "(none)");
    CHECK(field(sent->fields, "x-hop") == "(none)");
    CHECK(field(sent->fields, "prefer") == "respond-async");
    CHECK(field(sent->fields, "connection") == "TE, close");
    CHECK(field(sent->fields, "cookie") == "a=b");
}

TEST_CASE("ports: an upgrade goes on with its fields; one with a body is none", "[host][ports]") {
    const Fields upgrade{{"Connection", "keep-alive, Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Key", "k"}};
    const auto head = get("/", "80--demo.localhost", upgrade);
    const auto asked = read_asked(head);
    REQUIRE(asked->upgrade == "websocket");
    const auto sent = for_guest(head, std::get<Address>(address_of(head)), *asked, "unix");
    CHECK(field(sent->fields, "connection") == "Upgrade");
    CHECK(field(sent->fields, "upgrade") == "websocket");
    CHECK(field(sent->fields, "sec-websocket-key") == "k");
    auto with_body = head;
    with_body.fields.push_back({"Content-Length", "3"});
    CHECK_FALSE(read_asked(with_body)->upgrade);
    CHECK(read_asked(get("/", "x", {{"Connection", "Host"}})).has_value());
    CHECK(for_guest(get("/", "x", {{"Connection", "Host"}}), {}, {}, "unix").has_error());
}

}  // namespace vigil::ports
