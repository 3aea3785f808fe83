// The routes against their published contract, and the answers against a real store; what the daemon would do is recorded by a stand-in for VmControl.
#include "tests/unit/host/api/api_scene.hpp"

namespace vigil::api {
using namespace vigil::api::test;

using nlohmann::json;

namespace {

/// "GET /v1/images" for every operation of the document: paths stand at two blanks, methods at four.
std::set<std::string> documented_operations() {
    std::set<std::string> found;
    std::istringstream lines{std::string(openapi_document())};
    std::string line, path;
    const std::map<std::string, std::string> methods = {{"    get:", "GET"}, {"    post:", "POST"}, {"    put:", "PUT"}, {"    delete:", "DELETE"}};
    while (std::getline(lines, line) && line != "components:") {
        if (line.starts_with("  /")) path = line.substr(2, line.size() - 3);
        if (const auto method = methods.find(line); method != methods.end()) found.insert(method->second + " " + path);
    }
    return found;
}

}  // namespace

TEST_CASE("api: the routes and the document name the same operations", "[host][api]") {
    Fixture fixture;
    std::set<std::string> routed;
    for (const auto& route : fixture.router.routes()) routed.insert(std::string(http::to_text(route.method)) + " " + route.pattern);
    CHECK(routed == documented_operations());
    CHECK(routed.size() > 15);
}

TEST_CASE("api: unused images are told, or removed", "[host][api]") {
    Fixture fixture;
    const auto told = json::parse(fixture.ask(http::Method::post, "/v1/images-unused?dry_run=1").body);
    CHECK(told["removed"] == false);
    CHECK(told["images"][0]["name"] == "minimal");
    CHECK(told["busy"] == json::array({"desktop"}));
    CHECK(json::parse(fixture.ask(http::Method::post, "/v1/images-unused").body)["removed"] == true);
    CHECK(fixture.control.done == std::vector<std::string>{"look for unused images", "remove unused images"});
    CHECK(fixture.ask(http::Method::post, "/v1/images-unused?dry_run=maybe").status == 400);
    CHECK(fixture.control.done.size() == 2);
}

TEST_CASE("api: health, daemon, document", "[host][api]") {
    Fixture fixture;
    CHECK(json::parse(fixture.ask(http::Method::get, "/healthz").body)["ok"] == true);
    const auto daemon = json::parse(fixture.ask(http::Method::get, "/v1/daemon").body);
    CHECK(daemon["accelerator"]["name"] == "tcg");
    CHECK(daemon["vsock_device"].is_null());
    CHECK(fixture.ask(http::Method::get, "/openapi.yaml").body.starts_with("openapi: 3.1"));
}

TEST_CASE("api: a create body is checked before anything happens", "[host][api]") {
    Fixture fixture;
    for (const auto* body : {"", "[]", "{}", "{\"image\":7}", "{\"image\":\"minimal\",\"memroy_mib\":5}", "{\"image\":\"minimal\",\"vcpus\":-1}"}) {
        CAPTURE(body);
        const auto response = fixture.ask(http::Method::post, "/v1/instances", body);
        CHECK(response.status == 400);
        CHECK(response.content_type == "application/problem+json");
    }
    CHECK(json::parse(fixture.ask(http::Method::post, "/v1/instances", "{\"image\":\"minimal\",\"memroy_mib\":5}").body)["detail"].get<std::string>().find("memroy_mib") !=
          std::string::npos);
    CHECK(fixture.ask(http::Method::post, "/v1/instances?start=yes", "{\"image\":\"minimal\"}").status == 400);
    CHECK(fixture.control.done.empty());
    const auto unknown = fixture.ask(http::Method::post, "/v1/instances", "{\"image\":\"nothing\",\"name\":\"x\"}");
    CHECK(unknown.status == 404);
    CHECK(json::parse(unknown.body)["code"] == "not_found");
    CHECK(json::parse(unknown.body)["detail"].get<std::string>().find("minimal") != std::string::npos);
    CHECK(fixture.control.done == std::vector<std::string>{"create x by uid 1000"});
}

TEST_CASE("api: an instance as the contract says, and its removal", "[host][api]") {
    Fixture fixture;
    CHECK(fixture.ask(http::Method::get, "/v1/instances/demo").status == 404);
    fixture.add_instance();
    const auto instance = json::parse(fixture.ask(http::Method::get, "/v1/instances/demo").body);
    CHECK(instance["id"] == fixture.id.value());
    CHECK(instance["state"] == "stopped");
    CHECK(instance["run"] == 0);
    CHECK(instance["pid"].is_null());
    CHECK(instance["services"] == json::array());
    CHECK(json::parse(fixture.ask(http::Method::get, "/v1/instances").body).size() == 1);
    for (const auto* part : {"timeline", "services", "crashes", "why", "console"}) CHECK(fixture.ask(http::Method::get, std::string("/v1/instances/demo/") + part).status == 200);
    CHECK(fixture.ask(http::Method::get, "/v1/instances/demo/timeline?run=x").status == 400);
    CHECK(fixture.ask(http::Method::get, "/v1/instances/demo/logs/web").status == 404);
    CHECK(fixture.ask(http::Method::del, "/v1/instances/demo").status == 409);
    CHECK(fixture.ask(http::Method::del, "/v1/instances/demo?force=1").status == 204);
    CHECK(fixture.ask(http::Method::del, "/v1/instances/other").status == 404);
}

TEST_CASE("api: stop takes grace, kill or reboot, and nothing else", "[host][api]") {
    Fixture fixture;
    fixture.add_instance();
    CHECK(fixture.ask(http::Method::post, "/v1/instances/demo/stop").status == 202);
    CHECK(fixture.ask(http::Method::post, "/v1/instances/demo/stop", "{\"grace_s\":3}").status == 202);
    CHECK(fixture.ask(http::Method::post, "/v1/instances/demo/stop", "{\"kill\":true}").status == 202);
    CHECK(fixture.ask(http::Method::post, "/v1/instances/demo/stop", "{\"kill\":true,\"reboot\":true}").status == 400);
    CHECK(fixture.ask(http::Method::post, "/v1/instances/demo/stop", "{\"grace\":3}").status == 400);
    CHECK(fixture.ask(http::Method::post, "/v1/instances/demo/stop", "{\"grace_s\":-3}").status == 400);
    const std::string id = fixture.id.value();
    CHECK(fixture.control.done == std::vector<std::string>{"stop " + id + " stop default", "stop " + id + " stop 3000", "stop " + id + " kill default"});
}

TEST_CASE("api: errors become problems; internal text stays inside, a full disk has its own code", "[host][api]") {
    CHECK(to_response(Error(Errc::conflict, "taken")).status == 409);
    const auto internal = to_response(Error(Errc::internal, "pointer 0x1234"));
    CHECK(internal.status == 500);
    CHECK(internal.body.find("0x1234") == std::string::npos);
    const auto full = to_response(Error(Errc::limit, "host.disk_full: /var/lib/vigil"));
    CHECK(full.status == 507);
    CHECK(json::parse(full.body)["code"] == "host.disk_full");
}

TEST_CASE("api: a service is controlled by the agent, whose refusal is told", "[host][api]") {
    Fixture fixture;
    fixture.add_instance();
    const auto control = [&](const std::string& body) { return fixture.ask(http::Method::post, "/v1/instances/demo/services/web", body).status; };
    fixture.control.guest_answer = std::string("{}");
    CHECK(control(R"({"action":"restart"})") == 202);
    CHECK(fixture.control.done.back() == R"(service {"action":"restart","name":"web"})");
    CHECK(control(R"({"action":"signal","signal":"HUP"})") == 202);
    CHECK(fixture.control.done.back() == R"(service {"action":"signal","name":"web","signal":"HUP"})");
    const auto asked = fixture.control.done.size();
    for (const auto* wrong : {"", "{}", R"({"action":"explode"})", R"({"action":"signal"})", R"({"action":"stop","grace":1})", "[]"}) CHECK(control(wrong) == 400);
    CHECK(fixture.control.done.size() == asked);
    fixture.control.guest_answer = Error(Errc::conflict, "web cannot be reloaded");
    CHECK(control(R"({"action":"reload"})") == 409);
    CHECK(fixture.ask(http::Method::post, "/v1/instances/other/services/web", R"({"action":"stop"})").status == 404);
}

TEST_CASE("api: a service's output is asked of the agent, whose answer is a guest's word", "[host][api]") {
    Fixture fixture;
    fixture.add_instance();
    machine::Run run;
    run.services[ServiceName("web")] = {};
    fixture.control.looks.front().state.run = run;
    const auto logs = [&](const std::string& answer) {
        fixture.control.guest_answer = answer;
        return fixture.ask(http::Method::get, "/v1/instances/demo/logs/web");
    };
    CHECK(logs(R"({"stdout_tail_b64":"aGVsbG8=","stderr_tail_b64":""})").body == "[vigil: web, stdout until now]\nhello\n");
    CHECK(fixture.control.done.back() == R"(logs {"name":"web"})");
    for (const auto* hostile : {"", "[]", "{}", R"({"stdout_tail_b64":7,"stderr_tail_b64":""})", R"({"stdout_tail_b64":"%%%","stderr_tail_b64":""})"}) {
        CAPTURE(hostile);
        CHECK(logs(hostile).status >= 400);
    }
    CHECK(logs(R"({"stdout_tail_b64":")" + std::string(100 * 1024, 'A') + R"(","stderr_tail_b64":""})").status >= 400);
    fixture.control.guest_answer = Error(Errc::unavailable, "there is no link to the guest");
    CHECK(fixture.ask(http::Method::get, "/v1/instances/demo/logs/web").status == 503);
}

TEST_CASE("api: logs are of a run and a service that there are, and asked for in numbers", "[host][api]") {
    Fixture fixture;
    fixture.add_instance();
    const auto logs = [&](const std::string& query) { return fixture.ask(http::Method::get, "/v1/instances/demo/logs" + query).status; };
    CHECK(logs("") == 404);                          // it never ran
    machine::Run run;
    run.number = RunNumber(1);
    run.services[ServiceName("web")] = {};
    fixture.control.looks.front().state.run = run;
    for (const auto* wrong : {"?tail=x", "?since=-1", "?follow=yes", "?service=../web"}) {
        CAPTURE(wrong);
        CHECK(logs(wrong) == 400);
    }
    CHECK(logs("?service=nobody") == 404);
    CHECK(logs("?service=nobody&follow=1") == 404);   // the run is over: nobody comes any more
}

TEST_CASE("api: a black box is named by instance and run, and nothing else", "[host][api]") {
    Fixture fixture;
    for (const auto* wrong : {"x", "vm-0123456789", "vm-0123456789-0", "..%2F..%2Fetc%2Fpasswd"}) {
        CAPTURE(wrong);
        CHECK(fixture.ask(http::Method::get, std::string("/v1/blackboxes/") + wrong).status == 400);
        CHECK(fixture.ask(http::Method::get, std::string("/v1/blackboxes/") + wrong + "/archive").status == 400);
    }
}

TEST_CASE("api: an idempotency key is a plain word, and no member of the body", "[host][api]") {
    Fixture fixture;
    const auto create = [&](const std::string& key, const std::string& body) {
        return fixture.ask(http::Method::post, "/v1/instances", body, {{"idempotency-key", key}}).status;
    };
    for (const auto& wrong : {std::string(), std::string("two words"), std::string(129, 'k'), std::string("a\x01")}) CHECK(create(wrong, R"({"image":"minimal"})") == 400);
    CHECK(create("key", R"({"image":"minimal","create_key":"key"})") == 400);
    CHECK(fixture.control.done.empty());
    CHECK(create("key", R"({"image":"minimal"})") == 404);   // it came as far as the image
    CHECK(fixture.control.done.size() == 1);
}

TEST_CASE("api: a stream needs an upgrade and a right opening; the guest's refusal is a problem", "[host][api]") {
    Fixture fixture;
    fixture.add_instance();
    const std::string streams = "/v1/instances/demo/streams", opening = R"({"op":"tcp","port":80})";
    const auto plain = fixture.ask(http::Method::post, streams, opening);
    CHECK(plain.status == 426);
    CHECK(json::parse(plain.body)["detail"].get<std::string>().find("vigil-stream/1") != std::string::npos);
    const std::map<std::string, std::string> upgrade = {{"upgrade", "vigil-stream/1"}};
    CHECK(fixture.ask(http::Method::post, streams, R"({"op":"tcp","port":0})", upgrade).status == 400);
    CHECK(fixture.control.done.empty());
    CHECK(fixture.ask(http::Method::post, streams, opening, upgrade).status == 503);
    CHECK(fixture.control.done.back() == R"(stream {"op":"tcp","port":80,"v":1})");
    CHECK(fixture.ask(http::Method::post, "/v1/instances/other/streams", opening, upgrade).status == 404);
}

TEST_CASE("api: an exec is checked before the guest is asked", "[host][api]") {
    Fixture fixture;
    fixture.add_instance();
    const auto exec = [&](const std::string& body) { return fixture.ask(http::Method::post, "/v1/instances/demo/exec", body).status; };
    for (const auto* wrong : {"", "[]", "{}", R"({"argv":[]})", R"({"argv":["a"],"op":"tcp"})", R"({"argv":["a"],"timeout_s":0})", R"({"argv":["a"],"stdin_b64":"%"})"}) {
        CAPTURE(wrong);
        CHECK(exec(wrong) == 400);
    }
    CHECK(fixture.control.done.empty());
    CHECK(exec(R"({"argv":["cat"],"stdin_b64":"aGk="})") == 503);
    CHECK(fixture.control.done.back().find(R"("stdin":true)") != std::string::npos);
    const auto told = [&](const std::string& body) { return fixture.ask(http::Method::post, "/v1/instances/demo/exec", body, {{"accept", "text/event-stream"}}).status; };
    CHECK(told(R"({"argv":["cat"],"timeout_s":5})") == 400);
    CHECK(told(R"({"argv":["cat"]})") == 503);
}

TEST_CASE("api: a policy is shown, tried for later, held, leased and paused, each with an end", "[host][api]") {
    Fixture fixture;
    fixture.add_instance();
    const auto now = json::parse(fixture.ask(http::Method::get, "/v1/instances/demo/policy").body);
    CHECK(now["idle_s"] == 30);
    CHECK(now["decisions"][0]["verdict"] == "waits");
    CHECK(now["holders"][0]["name"] == "/bin/sh");
    const auto later = [&](const std::string& in_s) { return fixture.ask(http::Method::get, "/v1/instances/demo/policy?in_s=" + in_s); };
    CHECK(json::parse(later("60").body)["decisions"][0]["verdict"] == "held");
    for (const auto* wrong : {"-1", "soon", ""}) CHECK(later(wrong).status == 400);

    CHECK(fixture.ask(http::Method::post, "/v1/instances/demo/hold", R"({"for_s":600,"holder":"alice"})").status == 200);
    CHECK(fixture.ask(http::Method::post, "/v1/instances/demo/hold", R"({"for_s":0})").status == 200);
    CHECK(fixture.ask(http::Method::post, "/v1/instances/demo/lease", R"({"for_s":60})").status == 200);
    CHECK(fixture.ask(http::Method::post, "/v1/instances/demo/policy", R"({"for_s":5})").status == 200);
    REQUIRE(fixture.control.orders.size() == 4);
    const auto& hold = std::get<machine::HoldSet>(fixture.control.orders[0]);
    CHECK(hold.holder == "alice");
    CHECK(hold.until_unix_us == 1'800'000'600'000'000);
    CHECK(std::get<machine::HoldSet>(fixture.control.orders[1]).holder == "uid 1000");
    CHECK(std::get<machine::HoldSet>(fixture.control.orders[1]).until_unix_us == 0);
    CHECK(std::get<machine::LeaseSet>(fixture.control.orders[2]).until_unix_us == 1'800'000'060'000'000);
    CHECK(std::get<machine::PolicyPaused>(fixture.control.orders[3]).until_unix_us == 1'800'000'005'000'000);
    for (const auto* wrong : {R"({})", R"({"for_s":0})", R"({"for_s":60,"holder":"a"})", "[]", R"({"for_s":99999999999})"})
        CHECK(fixture.ask(http::Method::post, "/v1/instances/demo/lease", wrong).status == 400);
    CHECK(fixture.ask(http::Method::post, "/v1/instances/nobody/hold", R"({"for_s":1})").status == 404);
    CHECK(fixture.control.orders.size() == 4);
}

TEST_CASE("api: ports are those that are listened on and those that services will have", "[host][api]") {
    Fixture fixture;
    fixture.add_instance();
    CHECK(json::parse(fixture.ask(http::Method::get, "/v1/instances/demo/ports").body) == json::array());   // never started
    auto& run = fixture.control.looks.front().state.run.emplace();
    auto& web = run.services[ServiceName("web")].report;
    web.name = ServiceName("web");
    web.state = protocol::ServiceState::starting;
    web.probes.push_back({"http:8080", false, std::nullopt});
    run.listeners.push_back({"", "sshd", 12, "127.0.0.1", 22});
    const auto ports = json::parse(fixture.ask(http::Method::get, "/v1/instances/demo/ports").body);
    REQUIRE(ports.size() == 2);
    CHECK(ports[0]["port"] == 22);
    CHECK(ports[0]["service"].is_null());
    CHECK(ports[0]["addresses"] == json{"127.0.0.1"});
    CHECK(ports[1]["service"] == "web");
    CHECK(ports[1]["state"] == "starting");
    CHECK(ports[1]["addresses"] == json::array());
    CHECK(ports[1]["path"] == "/v1/instances/vm-0123456789/ports/8080/");
    CHECK(ports[1]["url"].is_null());   // no TCP door
}

}  // namespace vigil::api
