// Sign-in sessions and the vault over HTTP: whose they are, what is refused, and that no answer has a credential in it.
#include "tests/unit/host/api/api_scene.hpp"
#include "tests/unit/host/sessions/scene.hpp"

#include <chrono>

namespace vigil::api {
using namespace vigil::api::test;

using sessions::test::a_credential;

namespace {

/// Sessions and a vault behind the routes; in place of VMs the guest of the sessions' own tests.
struct SessionFixture : Fixture {
  sessions::test::GuestDouble guest;
  vault::Vault vault{{(directory.path() / "vault.db").string(), {"", "", directory.path() / "master.key"}, ""}, clock};
  sessions::Sessions sessions{io, clock, guest, vault, bus, (directory.path() / "sessions.db").string(), 1};
  http::Router with_sessions{make_routes({control, images, *store, bus, relays, nullptr, nullptr, &gate, store.get(), &sessions, &vault})};
  const std::string alice = token_for("alice", "operate"), mallory = token_for("mallory", "operate"), reader = token_for("alice", "read");

  SessionFixture() {
    guest.state.run.emplace();
    sessions.load();
  }
  ~SessionFixture() {
    boost::asio::co_spawn(io, sessions.stop(), [](std::exception_ptr) {});
    turn();
  }
  void turn() {
    io.restart();
    while (io.poll() != 0) {}
  }
  http::Response call(const std::string& token, http::Method method, const std::string& path, const std::string& body = "") {
    auto request = as(token, method, path, body);
    if (token.empty()) {
      request = as(std::nullopt, method, path, body);
      request.peer = {};   // root, over the Unix socket
    }
    std::optional<http::Answer> given;
    {
      const http::Reply reply([&](http::Answer got) { given = std::move(got); });
      with_sessions.dispatch(std::move(request), reply);
    }
    turn();
    REQUIRE(given);
    return std::get<http::Response>(std::move(*given));
  }
  std::string begin(const std::string& token, const std::string& user = "u1") {
    const auto made = call(token, http::Method::post, "/v1/sessions", R"({"provider":"codex","user":")" + user + R"("})");
    REQUIRE(made.status == 201);
    return json::parse(made.body)["id"];
  }
  json give(const std::string& session, const std::string& provider = "codex") {
    const json body = {{"sessionId", session}, {"provider", provider}, {"credentials", json::parse(a_credential)}};
    const auto answer = call(alice, http::Method::post, "/api/auth/credentials/store", body.dump());
    return {{"status", answer.status}, {"body", json::parse(answer.body)}};
  }
};

std::string detail_of(const http::Response& response) { return json::parse(response.body).value("detail", ""); }

}  // namespace

TEST_CASE("api: a session is its owner's; for others it is not there", "[host][api]") {
  SessionFixture fixture;
  const auto id = fixture.begin(fixture.alice);
  for (const auto* path : {"/v1/sessions/", "/api/auth/session/"}) {
    CHECK(fixture.call(fixture.alice, http::Method::get, path + id).status == 200);
    CHECK(fixture.call(fixture.mallory, http::Method::get, path + id).status == 404);
    CHECK(fixture.call(fixture.mallory, http::Method::post, path + id + "/cancel").status == 404);
    CHECK(fixture.call(fixture.mallory, http::Method::post, path + id + "/heartbeat").status == 404);
  }
  CHECK(fixture.call(fixture.mallory, http::Method::get, "/v1/sessions/" + id + "/events").status == 404);
  CHECK(fixture.call(fixture.mallory, http::Method::del, "/api/vm/auth/" + id).status == 404);
  CHECK(json::parse(fixture.call(fixture.mallory, http::Method::get, "/v1/sessions").body).empty());
  CHECK(json::parse(fixture.call(fixture.reader, http::Method::get, "/v1/sessions").body).size() == 1);
  CHECK(fixture.call(fixture.reader, http::Method::get, "/v1/sessions/" + id).status == 403);   // it may hold the address
  CHECK(fixture.call("", http::Method::get, "/v1/sessions/" + id).status == 200);               // the local admin sees all
}

TEST_CASE("api: a token of one session is enough for its routes under /api/auth, and for nothing else", "[host][api]") {
  SessionFixture fixture;
  const auto id = fixture.begin(fixture.alice), other = fixture.begin(fixture.alice, "u2");
  CHECK(fixture.call(fixture.mallory, http::Method::post, "/v1/sessions/" + id + "/token").status == 404);
  CHECK(fixture.call(fixture.reader, http::Method::post, "/v1/sessions/" + id + "/token").status == 403);
  const auto made = fixture.call(fixture.alice, http::Method::post, "/v1/sessions/" + id + "/token");
  REQUIRE(made.status == 201);
  const std::string token = json::parse(made.body)["token"];
  for (const auto* each : {"", "/oauth-url", "/credentials/status"}) {
    CAPTURE(each);
    CHECK(fixture.call(token, http::Method::get, "/api/auth/session/" + id + each).status < 300);
    CHECK(fixture.call(token, http::Method::get, "/api/auth/session/" + other + each).status == 404);
  }
  CHECK(fixture.call(token, http::Method::post, "/api/auth/session/" + id + "/heartbeat").status == 200);
  CHECK(fixture.call(token, http::Method::post, "/api/auth/session/" + other + "/cancel").status == 404);
  CHECK(fixture.call(token, http::Method::del, "/api/vm/auth/" + other).status == 404);
  const json of_other = {{"sessionId", other}, {"provider", "codex"}, {"credentials", json::parse(a_credential)}};
  CHECK(fixture.call(token, http::Method::post, "/api/auth/credentials/store", of_other.dump()).status == 404);
  const std::map<std::string, http::Method> methods = {
      {"GET", http::Method::get}, {"POST", http::Method::post}, {"DELETE", http::Method::del}};
  for (const auto& [route, needs] : route_scopes()) {
    if (needs == "none" || needs == "session") continue;
    CAPTURE(route);
    const auto blank = route.find(' ');
    auto path = route.substr(blank + 1);
    for (const std::string_view name :
         {"{session}", "{id}", "{user}", "{provider}", "{box}", "{service}", "{reference}", "{token}", "{port}", "{path*}"})
      if (const auto at = path.find(name); at != std::string::npos) path.replace(at, name.size(), name == "{session}" ? id : "x");
    const auto refused = fixture.call(token, methods.at(route.substr(0, blank)), path);
    CHECK(refused.status == 403);
    CHECK(refused.body.find("session " + id) != std::string::npos);
  }
  CHECK(fixture.call(fixture.alice, http::Method::get, "/v1/sessions/" + id).status == 200);   // nothing of it was ended
  CHECK(fixture.call(token, http::Method::post, "/api/auth/session/" + id + "/cancel").status == 200);
  CHECK(fixture.call(fixture.alice, http::Method::post, "/v1/sessions/" + id + "/token").status == 409);
}

TEST_CASE("api: a token of a session is over when the session can have no more use for it", "[host][api]") {
  SessionFixture fixture;
  const auto id = fixture.begin(fixture.alice);
  const auto made = json::parse(fixture.call(fixture.alice, http::Method::post, "/v1/sessions/" + id + "/token").body);
  struct ClockAt final : Clock {
    UnixUs now = 0;
    MonoUs mono_us() const override { return now; }
    UnixUs unix_us() const override { return now; }
  } clock;
  access::Gate gate{*fixture.store, clock, 4242};
  const http::Router later{make_routes({fixture.control, fixture.images, *fixture.store, fixture.bus, fixture.relays, nullptr, nullptr,
                                        &gate, fixture.store.get(), &fixture.sessions, &fixture.vault})};
  const auto status_at = [&](UnixUs now, const std::string& path) {
    clock.now = now;
    std::optional<http::Answer> given;
    {
      const http::Reply reply([&](http::Answer got) { given = std::move(got); });
      later.dispatch(fixture.as(made["token"], http::Method::get, path), reply);
    }
    REQUIRE(given);
    return std::get<http::Response>(*given).status;
  };
  const UnixUs end = made["expires_unix_us"];
  for (const std::string each : {"", "/oauth-url", "/credentials/status"}) {
    CAPTURE(each);
    CHECK(status_at(end - 1, "/api/auth/session/" + id + each) < 300);
    CHECK(status_at(end, "/api/auth/session/" + id + each) == 401);
  }
}

TEST_CASE("api: an order that cannot be is refused by the member that is wrong, and nothing is begun", "[host][api]") {
  SessionFixture fixture;
  fixture.add_owned("hers", "bob", "0000000001");
  const auto refusal = [&](const std::string& body) {
    const auto answer = fixture.call(fixture.alice, http::Method::post, "/v1/sessions", body);
    return std::to_string(answer.status) + " " + detail_of(answer);
  };
  CHECK(refusal(R"({"user":"u","provider":"chatty"})") == "400 provider: \"chatty\" is none of claude_code, codex, gemini_cli");
  CHECK(refusal(R"({"user":"a b","provider":"codex"})").starts_with("400 user: "));
  CHECK(refusal(R"({"provider":"codex"})").starts_with("400 user"));
  CHECK(refusal(R"({"user":"u","provider":"codex","cli_vm":"hers"})").starts_with("404 "));
  CHECK(refusal(R"({"user":"u","provider":"codex","browser_vm":"hers"})").starts_with("404 "));
  CHECK(refusal(R"({"user":"u","provider":"codex","owner":"bob"})").starts_with("403 owner: "));
  CHECK(refusal(R"({"user":"u","provider":"codex","vm":{"secrets":{"A":"b"}}})").starts_with("400 vm: secrets"));
  CHECK(refusal(R"({"user":"u","provider":"codex","vm":{"nothing":1}})").starts_with("400 vm: "));
  CHECK(refusal(R"({"user":"u","provider":"codex","more":1})").starts_with("400 "));
  CHECK(fixture.sessions.list()->empty());
  const auto id = fixture.begin(fixture.alice, "u");
  CHECK(refusal(R"({"user":"u","provider":"codex"})").starts_with("409 session " + id));
  CHECK(fixture.sessions.list()->size() == 1);
}

TEST_CASE("api: a credential is in no answer, but to who has vault:read; each attempt is in the log", "[host][api]") {
  SessionFixture fixture;
  const auto id = fixture.begin(fixture.alice);
  CHECK(fixture.give(id, "claude_code")["status"] == 400);
  CHECK(fixture.give(id)["status"] == 200);
  const auto holder = fixture.token_for("alice", "vault:read"), other = fixture.token_for("mallory", "vault:read"),
             admin = fixture.token_for("carol", "admin");
  const std::string path = "/v1/vault/u1/codex/credential";
  for (const auto& token : {fixture.alice, fixture.reader, admin, std::string()}) {
    const auto refused = fixture.call(token, http::Method::get, path);
    CHECK(refused.status == 403);
    CHECK(refused.body.find("vault:read") != std::string::npos);
  }
  CHECK(fixture.call(other, http::Method::get, path).status == 404);   // his own user u1 has none
  CHECK(fixture.call(other, http::Method::get, path + "?owner=alice").status == 403);
  const auto revealed = fixture.call(holder, http::Method::get, path);
  CHECK(revealed.status == 200);
  CHECK(json::parse(revealed.body) == json::parse(a_credential));
  const auto log = json::parse(fixture.call(admin, http::Method::get, "/v1/vault-audit").body);
  const auto count = [&](const std::string& outcome) {
    return std::ranges::count_if(log, [&](const json& row) { return row["action"] == "reveal" && row["outcome"] == outcome; });
  };
  CHECK(count("ok") == 1);
  CHECK(count("denied") == 4);
  CHECK(count("not_found") == 1);
  for (const auto& each : std::vector<std::string>{
           "/v1/vault", "/v1/vault/u1/codex", "/v1/vault-audit", "/v1/sessions", "/v1/sessions/" + id, "/api/auth/session/" + id,
           "/api/auth/session/" + id + "/credentials/status", "/api/auth/session/" + id + "/oauth-url"}) {
    INFO(each);
    CHECK(fixture.call(fixture.alice, http::Method::get, each).body.find("canary-") == std::string::npos);
  }
  CHECK(json::parse(fixture.call(fixture.mallory, http::Method::get, "/v1/vault").body).empty());
  CHECK(json::parse(fixture.call(fixture.mallory, http::Method::get, "/v1/vault-audit").body).size() == 1);   // his own attempt
  CHECK(fixture.call(fixture.mallory, http::Method::del, "/v1/vault/u1/codex").status == 404);
  CHECK(fixture.call(fixture.alice, http::Method::post, "/v1/vault-rotate").status == 403);
  CHECK(json::parse(fixture.call(admin, http::Method::post, "/v1/vault-rotate").body)["credentials"] == 1);
  CHECK(fixture.call(fixture.alice, http::Method::del, "/v1/vault/u1/codex").status == 204);
}

TEST_CASE("api: clients of the earlier service find its shapes", "[host][api]") {
  SessionFixture fixture;
  const auto wrong = fixture.call(fixture.alice, http::Method::post, "/api/auth/start", R"({"userId":"u1","provider":"x"})");
  CHECK(wrong.status == 400);
  CHECK(json::parse(wrong.body)["validProviders"] == json({"claude_code", "codex", "gemini_cli"}));
  const auto started = json::parse(
      fixture.call(fixture.alice, http::Method::post, "/api/auth/start", R"({"userId":"u1","provider":"codex","webrtcOffer":{}})").body);
  CHECK(started["success"] == true);
  CHECK(started["novncURL"].is_null());
  const std::string at = "/api/auth/session/" + started["sessionId"].get<std::string>();
  const auto answer = [&](http::Method method, const std::string& path) { return fixture.call(fixture.alice, method, path); };
  CHECK(json::parse(answer(http::Method::get, at).body)["session"]["status"] == "started");
  const auto waiting = answer(http::Method::get, at + "/oauth-url");
  CHECK(waiting.status == 202);
  CHECK(json::parse(waiting.body)["waiting"] == true);
  CHECK(json::parse(answer(http::Method::get, at + "/credentials/status").body)["authenticated"] == false);
  CHECK(json::parse(answer(http::Method::post, at + "/heartbeat").body) == json({{"success", true}}));
  CHECK(json::parse(answer(http::Method::post, at + "/cancel").body) == json({{"success", true}}));
  CHECK(answer(http::Method::del, "/api/vm/auth/" + started["sessionId"].get<std::string>()).status == 200);   // again: nothing to do
  CHECK(json::parse(answer(http::Method::get, at).body)["session"]["status"] == "cancelled");
  CHECK(answer(http::Method::get, at + "/oauth-url").status == 404);
  CHECK(json::parse(answer(http::Method::get, "/api/auth/session/ss-x").body)["error"].is_string());
}

TEST_CASE("api: times and VMs of a session are in the earlier service's shapes too, and no address is kept by a cache", "[host][api]") {
  SessionFixture fixture;
  const auto id = fixture.begin(fixture.alice);
  const auto get = [&](const std::string& path) { return fixture.call(fixture.alice, http::Method::get, path); };
  const auto shown = get("/api/auth/session/" + id);
  const auto is_unkept = [](const http::Response& response) {
    return std::ranges::any_of(response.headers,
                               [](const auto& each) { return each.first == "Cache-Control" && each.second == "no-store"; });
  };
  CHECK(is_unkept(shown));
  CHECK(is_unkept(get("/api/auth/session/" + id + "/oauth-url")));
  auto session = json::parse(shown.body)["session"];
  for (const auto* each : {"started_at", "created_at", "timeout_at"}) {
    CAPTURE(each);
    CHECK(session[each].get<std::string>().ends_with("Z"));
  }
  CHECK(session["completed_at"].is_null());
  CHECK(session["started_at"] == session["created_at"]);
  fixture.guest.done.clear();
  CHECK(fixture.give(id)["status"] == 200);
  const auto status = json::parse(get("/api/auth/session/" + id + "/credentials/status").body);
  CHECK(status["authenticated"] == true);
  CHECK(status["modifiedAt"].get<std::string>().ends_with("Z"));
  CHECK(fixture.call(fixture.alice, http::Method::post, "/api/auth/session/" + id + "/cancel").status == 200);
  session = json::parse(get("/api/auth/session/" + id).body)["session"];
  CHECK(session["completed_at"].is_string() == sessions::is_terminal((*fixture.sessions.find(id))->state));
  CHECK(fixture.call(fixture.alice, http::Method::post, "/api/auth/session/" + id + "/heartbeat").status == 200);
}

TEST_CASE("api: how long a session has waited is told by the clock, not by its last event", "[host][api]") {
  SessionFixture fixture;
  const auto id = fixture.begin(fixture.alice);
  const auto elapsed = [&] {
    return json::parse(fixture.call(fixture.alice, http::Method::get, "/api/auth/session/" + id + "/oauth-url").body)["elapsedMs"]
        .get<std::uint64_t>();
  };
  const auto first = elapsed();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  auto later = first;
  while (later == first && std::chrono::steady_clock::now() < until) later = elapsed();
  CHECK(later > first);
}

TEST_CASE("api: a user's credentials, sessions and their validity are looked up in the earlier service's shapes", "[host][api]") {
  SessionFixture fixture;
  const auto id = fixture.begin(fixture.alice);
  const auto get = [&](const std::string& token, const std::string& path) {
    const auto response = fixture.call(token, http::Method::get, path);
    CHECK(response.status == 200);
    CHECK(response.body.find("canary-") == std::string::npos);
    return json::parse(response.body);
  };
  CHECK(get(fixture.reader, "/api/auth/credentials/u1") == json::parse(R"({"credentials":[]})"));
  CHECK(get(fixture.reader, "/api/auth/validate/u1/codex")["valid"] == false);
  auto sessions = get(fixture.reader, "/api/auth/sessions/u1");
  CHECK(sessions["totalActive"] == 1);
  CHECK(sessions["sessions"].at(0)["session_id"] == id);
  std::string text = a_credential;
  const auto credential = vault::Secret::take_from(text);
  REQUIRE(fixture.vault.put({"alice", "u1", "codex"}, credential, {"codex/1", id}, "a test").has_value());
  auto known = get(fixture.reader, "/api/auth/credentials/u1")["credentials"];
  REQUIRE(known.size() == 1);
  CHECK(known[0]["provider"] == "codex");
  CHECK(known[0]["is_valid"].is_null());
  CHECK(known[0]["last_verified"].is_null());
  CHECK(known[0]["expires_at"].is_null());
  auto valid = get(fixture.reader, "/api/auth/validate/u1/codex");
  CHECK(valid["valid"].is_null());
  CHECK(valid["untested"] == true);
  CHECK(fixture.vault.note_check({"alice", "u1", "codex"}, {true, 1'800'000'000'000'000, "codex login status: exit 0"}));
  CHECK(get(fixture.reader, "/api/auth/validate/u1/codex") == json::parse(R"({"valid":true,"lastVerified":"2027-01-15T08:00:00.000Z"})"));
  CHECK(get(fixture.reader, "/api/auth/credentials/u1")["credentials"][0]["is_valid"] == true);
  CHECK(get(fixture.mallory, "/api/auth/credentials/u1")["credentials"].empty());
  CHECK(get(fixture.mallory, "/api/auth/sessions/u1") == json::parse(R"({"sessions":[],"totalActive":0})"));
  CHECK(get(fixture.mallory, "/api/auth/validate/u1/codex")["valid"] == false);
  CHECK(get(fixture.reader, "/api/auth/credentials/u2")["credentials"].empty());
}

TEST_CASE("api: the VM of a session, and where its desktop is", "[host][api]") {
  SessionFixture fixture;
  fixture.add_instance();
  const auto id = fixture.begin(fixture.alice);
  fixture.turn();
  const auto get = [&](const std::string& path) {
    return fixture.call(fixture.alice, http::Method::get, "/api/auth/session/" + id + path);
  };
  const auto vm = get("/vm");
  CHECK(vm.status == 200);
  CHECK(json::parse(vm.body)["vmId"] == fixture.id.value());
  CHECK(json::parse(vm.body)["vmIP"].is_null());
  CHECK(get("/novnc").status == 503);   // this daemon has no door for desktops
  CHECK(fixture.call(fixture.mallory, http::Method::get, "/api/auth/session/" + id + "/vm").status == 404);
  fixture.control.looks.clear();
  CHECK(get("/vm").status == 410);
  CHECK(get("/novnc").status == 410);
  CHECK(json::parse(get("/vm").body)["error"].get<std::string>().find(id) != std::string::npos);
}

}  // namespace vigil::api
