// Who may do what, on every route: callers, scopes, owners, rates.
#include "tests/unit/host/api/api_scene.hpp"

namespace vigil::api {

using namespace vigil::api::test;

namespace {

std::map<std::string, std::string> documented_scopes() {
    std::map<std::string, std::string> found;
    std::istringstream lines{std::string(openapi_document())};
    std::string line;
    while (std::getline(lines, line) && line != "  x-scopes:") {
    }
    while (std::getline(lines, line) && line.starts_with("    '")) {
        const auto end = line.find("': ");
        found[line.substr(5, end - 5)] = line.substr(end + 3);
    }
    return found;
}

std::string concrete(std::string pattern) {
    for (const auto& [parameter, value] : std::map<std::string, std::string>{{"{id}", "hers"}, {"{box}", "vm-0000000001-1"}, {"{service}", "web"}, {"{reference}", "minimal"}, {"{token}", "x"}})
        if (const auto at = pattern.find(parameter); at != std::string::npos) pattern.replace(at, parameter.size(), value);
    return pattern;
}

}  // namespace

TEST_CASE("api: the document says which scope each route needs", "[host][api]") { CHECK(route_scopes() == documented_scopes()); }

TEST_CASE("api: over TCP nothing is answered without a token but health, and no scope reaches further than it says", "[host][api]") {
    Fixture fixture;
    fixture.add_owned("hers", "alice", "0000000001");
    const std::map<std::string, std::string> tokens = {
        {"metrics", fixture.token_for("alice", "metrics")}, {"read", fixture.token_for("alice", "read")}, {"operate", fixture.token_for("alice", "operate")}};
    const std::map<std::string, std::set<std::string>> reaches = {{"metrics", {"metrics"}}, {"read", {"read"}}, {"operate", {"read", "operate", "session"}}};
    const std::map<std::string, http::Method> methods = {{"GET", http::Method::get}, {"POST", http::Method::post}, {"DELETE", http::Method::del}};
    for (const auto& [route, needs] : route_scopes()) {
        CAPTURE(route);
        const auto blank = route.find(' ');
        const auto method = methods.at(route.substr(0, blank));
        const auto path = concrete(route.substr(blank + 1));
        if (needs == "none") {
            CHECK(fixture.respond(fixture.as(std::nullopt, method, path)).status == 200);
            continue;
        }
        const auto stranger = fixture.respond(fixture.as(std::nullopt, method, path));
        CHECK(stranger.status == 401);
        CHECK(json::parse(stranger.body)["detail"].get<std::string>().find("vigil token create") != std::string::npos);
        for (const auto& [scope, token] : tokens) {
            CAPTURE(scope);
            if (reaches.at(scope).contains(needs)) continue;
            const auto refused = fixture.respond(fixture.as(token, method, path));
            CHECK(refused.status == 403);
            CHECK(refused.body.find(needs) != std::string::npos);
            CHECK(refused.body.find(token) == std::string::npos);
        }
    }
    CHECK(fixture.control.done.empty());
}

TEST_CASE("api: another owner's instance is not there, on no route and in no list", "[host][api]") {
    Fixture fixture;
    fixture.add_owned("hers", "alice", "0000000001");
    fixture.add_owned("nobodys", "", "0000000002");
    const auto alice = fixture.token_for("alice", "operate"), bob = fixture.token_for("bob", "operate"), admin = fixture.token_for("carol", "admin");
    for (const auto& [route, needs] : route_scopes()) {
        if (route.find("{id}") == std::string::npos && route.find("{box}") == std::string::npos) continue;
        CAPTURE(route);
        const auto method = route.starts_with("GET") ? http::Method::get : route.starts_with("POST") ? http::Method::post : http::Method::del;
        const auto path = concrete(route.substr(route.find(' ') + 1));
        CHECK(fixture.respond(fixture.as(bob, method, path)).status == 404);
    }
    CHECK(fixture.control.done.empty());
    const auto listed = [&](const std::string& token) { return json::parse(fixture.respond(fixture.as(token, http::Method::get, "/v1/instances")).body).size(); };
    CHECK(listed(alice) == 1);
    CHECK(listed(bob) == 0);
    CHECK(listed(admin) == 2);
    CHECK(fixture.respond(fixture.as(alice, http::Method::get, "/v1/instances/hers")).status == 200);
    CHECK(fixture.respond(fixture.as(alice, http::Method::get, "/v1/instances/nobodys")).status == 404);
    CHECK(fixture.respond(fixture.as(alice, http::Method::get, "/v1/events?instance=nobodys")).status == 404);
    CHECK(fixture.respond(fixture.as(bob, http::Method::get, "/v1/instances/vm-000000000")).status == 404);   // fits two: the answer must not name them
    CHECK(fixture.respond(fixture.as(bob, http::Method::get, "/v1/instances/vm-000000000")).body.find("0000000001") == std::string::npos);
    const auto seen = [&](const std::string& token) {
        auto answer = fixture.answer(fixture.as(token, http::Method::get, "/v1/events?follow=0"));
        auto batch = std::get<std::unique_ptr<http::EventSource>>(answer)->next();
        REQUIRE(batch.has_value());
        CHECK(batch->ended);
        return batch->events.size();
    };
    CHECK(seen(alice) == 1);
    CHECK(seen(bob) == 0);
    CHECK(seen(admin) == 2);
    CHECK(fixture.respond(fixture.as(bob, http::Method::post, "/v1/instances", R"({"image":"minimal","owner":"alice"})")).status == 403);
    CHECK(fixture.control.done.empty());
}

TEST_CASE("api: over the Unix socket root and the daemon's user are admins, everybody else is himself", "[host][api]") {
    Fixture fixture;
    fixture.add_owned("hers", "uid:1000", "0000000001");
    const auto by = [&](uid_t uid, const std::string& path) {
        auto request = fixture.as(std::nullopt, http::Method::get, path);
        request.peer = {1, uid, true, "unix"};
        return fixture.respond(std::move(request)).status;
    };
    CHECK(by(0, "/v1/tokens") == 200);
    CHECK(by(4242, "/v1/tokens") == 200);
    CHECK(by(1000, "/v1/tokens") == 403);
    CHECK(by(1000, "/v1/instances/hers") == 200);
    CHECK(by(1001, "/v1/instances/hers") == 404);
}

TEST_CASE("api: a token is shown once, is over when it is revoked, and is never told apart from a wrong one", "[host][api]") {
    Fixture fixture;
    const auto token = fixture.token_for("alice", "read");
    const auto admin = fixture.token_for("carol", "admin");
    const auto list = fixture.respond(fixture.as(admin, http::Method::get, "/v1/tokens"));
    CHECK(list.body.find(token) == std::string::npos);
    const auto rows = json::parse(list.body);
    REQUIRE(rows.size() == 2);
    const std::string id = token.substr(4, 10);
    CHECK(fixture.store->find_token(id)->value().sha256 == images::sha256_hex(token));
    auto wrong = token;
    wrong.back() = wrong.back() == '0' ? '1' : '0';
    const auto refused = fixture.respond(fixture.as(wrong, http::Method::get, "/v1/instances"));
    CHECK(refused.status == 401);
    CHECK(fixture.respond(fixture.as(token, http::Method::get, "/v1/instances")).status == 200);
    CHECK(fixture.respond(fixture.as(admin, http::Method::del, "/v1/tokens/" + id)).status == 204);
    CHECK(fixture.respond(fixture.as(admin, http::Method::del, "/v1/tokens/nobody")).status == 404);
    const auto over = fixture.respond(fixture.as(token, http::Method::get, "/v1/instances"));
    CHECK(over.status == 401);
    CHECK(over.body == refused.body);
    for (const auto* bad : {R"({"owner":"Alice","scopes":["read"]})", R"({"owner":"alice","scopes":[]})", R"({"owner":"alice","scopes":["root"]})", R"({"scopes":["read"]})",
                            R"({"owner":"alice","scopes":["read"],"expires_days":0})", R"({"owner":"uid:","scopes":["read"]})"}) {
        CAPTURE(bad);
        CHECK(fixture.respond(fixture.as(admin, http::Method::post, "/v1/tokens", bad)).status == 400);
    }
}

TEST_CASE("api: who asks too often is told when to come again, others are not disturbed", "[host][api]") {
    Fixture fixture;
    const auto loud = fixture.token_for("alice", "operate"), quiet = fixture.token_for("bob", "operate");
    http::Response last;
    for (int i = 0; i < 200 && last.status != 429; ++i) last = fixture.respond(fixture.as(loud, http::Method::del, "/v1/instances/none"));
    REQUIRE(last.status == 429);
    REQUIRE_FALSE(last.headers.empty());
    CHECK(last.headers.back().first == "Retry-After");
    CHECK(fixture.respond(fixture.as(quiet, http::Method::del, "/v1/instances/none")).status == 404);
    CHECK(fixture.respond(fixture.as(loud, http::Method::get, "/v1/instances")).status == 200);   // reading is a class of its own
}

}  // namespace vigil::api
