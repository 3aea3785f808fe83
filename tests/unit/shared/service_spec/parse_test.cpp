#include "tests/unit/shared/service_spec/specs.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <csignal>

namespace vigil::service_spec {
using namespace std::chrono_literals;

using specs::problems;

namespace {

using Problems = std::vector<std::string>;

SpecSet parse(const SpecSource& source) { return parse_service_specs({source}); }

ServiceSpec parse_good(const SpecSource& source) {
  const auto set = parse(source);
  REQUIRE(problems(set).empty());
  return set.services.at(0);
}

Problems problems_of(const std::string& more) { return problems(parse(specs::file("web", more))); }

const std::string everything = R"(
  // every key there is
  "user": "www:adm", "env": {"A": "1", "B": ""}, "cwd": "/srv", "after": ["db"], "requires": ["cache"], "wants": ["log"], "essential": false,
  "ready": [{"http": {"port": 8080, "path": "/up", "status": 204, "body": "ok", "address": "0.0.0.0"}}, {"notify-fd": {"fd": 4}}, {"sd-notify": {}},
            {"tcp": {"port": 7000}}, {"unix": {"path": "/run/x"}}, {"file": {"path": "/run/y"}}, {"exec": {"argv": ["/bin/true", "-v"], "interval_ms": 50}},
            {"websocket": {"port": 6080, "address": "0.0.0.0", "path": "/websockify", "subprotocol": "binary", "first_bytes": "RFB 003."}},
            {"rfb": {"port": 5900}}, {"x11": {"display": ":99", "size": "1280x800", "window_manager": true}},
            {"x11": {"display": ":99", "window": true}}, {"stable-for": {"seconds": 1.5}}],
  "ready_timeout_s": 2.5,
  "restart": {"policy": "always", "backoff_ms": 200, "backoff_max_ms": 1000, "crash_loop": {"exits": 3, "window_s": 10}},
  "capabilities": ["CAP_NET_BIND_SERVICE", "CAP_CHECKPOINT_RESTORE"], "no_new_privs": true, "restart_with": ["cache"],
  "stop": {"signal": "SIGINT", "grace_s": 0.25}, "reload": {"signal": "SIGHUP"},
  "limits": {"memory": "64M", "pids": 10, "nofile": 100, "cpu_percent": 50},
  "health": {"probe": {"tcp": {"port": 7001}}, "interval_s": 5, "failures": 2, "restart": true}, /* and */
  "secrets": ["api-key"])";

}  // namespace

TEST_CASE("service file: every key is read", "[shared][service_spec]") {
  const auto set = parse_service_specs({specs::file("web", everything), specs::file("db"), specs::file("cache")});
  REQUIRE(problems(set).empty());
  const auto& web = set.services.back();
  CHECK(web.name == ServiceName("web"));
  CHECK(web.exec == std::vector<std::string>{"/bin/web"});
  CHECK(web.user + ":" + web.group == "www:adm");
  CHECK(web.env == std::map<std::string, std::string>{{"A", "1"}, {"B", ""}});
  CHECK(web.cwd == "/srv");
  CHECK_FALSE(web.essential);
  CHECK(web.ready_timeout == 2500ms);
  CHECK(web.restart.when == RestartWhen::always);
  CHECK(web.restart.backoff == 200ms);
  CHECK(web.restart.backoff_max == 1000ms);
  CHECK(web.restart.loop_exits == 3);
  CHECK(web.restart.loop_window == 10s);
  CHECK(web.capabilities == ((std::uint64_t{1} << 10) | (std::uint64_t{1} << 40)));   // as linux/capability.h numbers them
  CHECK(web.no_new_privs);
  CHECK(web.restart_with == std::vector{ServiceName("cache")});
  CHECK(web.stop.signal == SIGINT);
  CHECK(web.stop.grace == 250ms);
  CHECK(web.limits.memory_bytes == 64U << 20);
  CHECK(web.limits.pids == 10);
  CHECK(web.limits.nofile == 100);
  CHECK(web.limits.cpu_percent == 50);
  CHECK(probe_name(web.health.value().probe) == "tcp:7001");
  CHECK(web.health->interval == 5s);
  CHECK(web.health->restart);
  CHECK(web.reload_signal == SIGHUP);
  CHECK(web.secrets == std::vector<std::string>{"api-key"});
}

TEST_CASE("service file: probes keep what they were told and are named by kind and subject", "[shared][service_spec]") {
  const auto set = parse_service_specs({specs::file("web", everything), specs::file("db"), specs::file("cache")});
  std::vector<std::string> names;
  for (const auto& probe : set.services.back().ready) names.push_back(probe_name(probe));
  CHECK(names ==
        std::vector<std::string>{"http:8080", "notify-fd", "sd-notify", "tcp:7000", "unix:/run/x", "file:/run/y", "exec:/bin/true", "websocket:6080",
                                 "rfb:5900", "x11::99", "x11::99", "stable-for"});
  const auto& http = std::get<HttpProbe>(set.services.back().ready[0]);
  CHECK(http.path == "/up");
  CHECK(http.status == 204);
  CHECK(http.body == "ok");
  CHECK(http.address == "0.0.0.0");
  CHECK(std::get<TcpProbe>(set.services.back().ready[3]).address == "127.0.0.1");
  CHECK(std::get<ExecProbe>(set.services.back().ready[6]).interval == 50ms);
  const auto& websocket = std::get<WebsocketProbe>(set.services.back().ready[7]);
  CHECK(websocket.address == "0.0.0.0");
  CHECK(websocket.path + " " + websocket.subprotocol + " " + websocket.first_bytes == "/websockify binary RFB 003.");
  const auto& x11 = std::get<X11Probe>(set.services.back().ready[9]);
  CHECK(x11.address.empty());
  CHECK(x11.display == 99);
  CHECK(x11.size == ScreenSize{1280, 800});
  CHECK(x11.window_manager);
  CHECK(std::get<X11Probe>(set.services.back().ready[10]).window);
  CHECK(std::get<StableForProbe>(set.services.back().ready[11]).duration == 1500ms);
}

TEST_CASE("service file: two keys are enough, the rest has defaults", "[shared][service_spec]") {
  const auto set = parse(specs::file("web"));
  REQUIRE(set.services.size() == 1);
  const auto& web = set.services[0];
  CHECK(web.user == "root");
  CHECK(web.essential);
  CHECK(web.ready.empty());
  CHECK(web.ready_timeout == 30s);
  CHECK(web.restart.when == RestartWhen::on_failure);
  CHECK(web.stop.signal == SIGTERM);
  CHECK(web.file == "/etc/vigil/services.d/web.json");
}

TEST_CASE("service file: one probe needs no list", "[shared][service_spec]") {
  CHECK(parse(specs::file("web", R"("ready":{"tcp":{"port":1}})")).services.at(0).ready.size() == 1);
  CHECK(problems_of(R"("ready":{"tcp":{"port":0}})") == Problems{"ready.tcp.port: not in 1 to 65535"});
}

TEST_CASE("service file: every error is named by its key path, all at once", "[shared][service_spec]") {
  const SpecSource source{"web.json", R"({"name": "wbe", "exec": ["web"], "essential": "yes", "nmae": 1, "restart": "sometimes",
    "ready": [{"tcp": {"port": 80}}, {"http": {"port": -1, "sttaus": 200}}, {"grpc": {}}, 7],
    "limits": {"memory": "64MB", "pids": 3.9}, "stop": {"signal": "TERM"}, "env": {"A": 1}, "after": ["../x"]})",
                          std::nullopt};
  CHECK(problems(parse(source)) ==
        Problems{"after[0]: '../x' is not a service name: 1 to 63 of a-z 0-9 . _ -, the first a letter or digit", "env.A: not a string",
                 "essential: neither true nor false", "exec[0]: not an absolute path",
                 "limits.memory: neither bytes nor a size such as 64M, of at least 64K", "limits.pids: not a whole number",
                 "name: 'wbe' in the file of 'web'", "nmae: unknown key", "ready[1].http.port: not in 1 to 65535",
                 "ready[1].http.sttaus: unknown key",
                 "ready[2].grpc: unknown probe; there are notify-fd, sd-notify, tcp, unix, file, http, websocket, rfb, x11, stable-for, exec",
                 "ready[3]: a probe is an object with one key: notify-fd, sd-notify, tcp, unix, file, http, websocket, rfb, x11, stable-for, exec",
                 "restart: none of always, on-failure, never", "stop.signal: not a signal's name such as SIGTERM"});
  CHECK(parse(source).services.empty());
}

TEST_CASE("service file: a Unix socket's path must fit into a socket's address", "[shared][service_spec]") {
  const auto with_path = [](std::size_t bytes) { return specs::file("web", R"("ready":[{"unix":{"path":"/)" + std::string(bytes - 1, 'x') + R"("}}])"); };
  CHECK(parse(with_path(107)).errors.empty());
  CHECK(problems(parse(with_path(108))) == Problems{"ready[0].unix.path: longer than the 107 bytes that the path of a Unix socket may have: 108"});
}

TEST_CASE("service file: an error says which file", "[shared][service_spec]") {
  const auto set = parse(specs::file("web", R"("cwd":"x")"));
  CHECK(protocol::sentence(set.errors.at(0)) == "the service file /etc/vigil/services.d/web.json is wrong at cwd");
}

TEST_CASE("service file: wrong values", "[shared][service_spec]") {
  const std::string more =
      GENERATE(as<std::string>(), R"("user":"")", R"("user":"a:")", R"("user":7)", R"("env":[])", R"("env":{"A=B":"x"})",
               R"("ready_timeout_s":0)", R"("ready_timeout_s":"5")", R"("restart":{"backoff_ms":500,"backoff_max_ms":100})",
               R"("restart":7)", R"("restart":{"crash_loop":{"exits":0}})", R"("stop":[])", R"("limits":{"memory":-5})",
               R"("limits":{"memory":""})", R"("health":{})", R"("secrets":["../key"])", R"("secrets":[".."])", R"("after":"db")",
               R"("after":[7])", R"("ready":[{"exec":{"argv":[]}}])", R"("ready":[{"http":{"port":1,"path":"x"}}])",
               R"("ready":[{"http":{"port":1,"path":"/a\r\nb"}}])", R"("ready":[{"tcp":{"port":1,"address":"localhost"}}])",
               R"("ready":[{"notify-fd":{"fd":1}}])", R"("cwd":"/a\u0000b")", R"("user":null)",
               R"("ready":[{"x11":{}}])", R"("ready":[{"x11":{"display":"0"}}])", R"("ready":[{"x11":{"display":":0","size":"1280"}}])",
               R"("ready":[{"x11":{"display":":60000"}}])", R"("ready":[{"x11":{"display":":0","window":true,"window_manager":true}}])",
               R"("ready":[{"x11":{"display":":0","window":true,"size":"640x480"}}])", R"("ready":[{"x11":{"display":"localhost:0"}}])", R"("ready":[{"stable-for":{}}])",
               R"("ready":[{"stable-for":{"seconds":30}}])", R"("ready":[{"websocket":{"port":1,"subprotocol":"a, b"}}])",
               R"("health":{"probe":{"notify-fd":{}}})", R"("health":{"probe":{"stable-for":{"seconds":1}}})",
               R"("restart":"never","health":{"probe":{"tcp":{"port":1}},"restart":true})", R"("reload":{})", R"("reload":{"signal":"HUP"})",
               R"("capabilities":"CAP_KILL")", R"("capabilities":["KILL"])", R"("no_new_privs":1)", R"("restart_with":["db"])", R"("restart_with":["../x"])");
  CAPTURE(more);
  const auto set = parse(specs::file("web", more));
  CHECK(set.errors.size() == 1);
  CHECK(set.services.empty());
}

TEST_CASE("service file: text that is not JSON says where", "[shared][service_spec]") {
  const auto set = parse({"web.json", "{\"name\": \"web\",\n\"exec\": [}", std::nullopt});
  REQUIRE(set.errors.size() == 1);
  CHECK(protocol::field_text(set.errors[0], "key") == "(file)");
  CHECK(set.errors[0].evidence.at(0).find("line 2") != std::string::npos);
}

TEST_CASE("service file: nothing is asked of a file that is no object", "[shared][service_spec]") {
  CHECK(problems(parse({"web.json", "[]", std::nullopt})) == Problems{"(file): not an object"});
}

TEST_CASE("overlay: it replaces, adds and, with null, takes away", "[shared][service_spec]") {
  auto source = specs::file("web", R"("env":{"A":"1","B":"2"},"ready":{"tcp":{"port":80}},"essential":true)");
  source.overlay = R"({"env":{"B":null,"C":"3"},"ready":null,"essential":false,"exec":["/bin/other","-x"]})";
  const auto set = parse(source);
  REQUIRE(problems(set).empty());
  const auto& web = set.services.at(0);
  CHECK(web.env == std::map<std::string, std::string>{{"A", "1"}, {"C", "3"}});
  CHECK(web.ready.empty());
  CHECK_FALSE(web.essential);
  CHECK(web.exec == std::vector<std::string>{"/bin/other", "-x"});
}

TEST_CASE("overlay: a probe replaces a probe of another kind, other objects are merged", "[shared][service_spec]") {
  SpecSource source{"/d/web.json",
                    R"({"name":"web","exec":["/bin/web"],"ready":{"notify-fd":{}},"limits":{"pids":10},
                        "health":{"probe":{"tcp":{"port":80,"address":"0.0.0.0"}},"interval_s":2}})",
                    {}};
  SECTION("readiness") {
    source.overlay = R"({"ready":{"tcp":{"port":7000}},"limits":{"nofile":20}})";
    const auto spec = parse_good(source);
    REQUIRE(spec.ready.size() == 1);
    CHECK(probe_name(spec.ready[0]) == "tcp:7000");
    CHECK(spec.limits.pids == 10U);
    CHECK(spec.limits.nofile == 20U);
  }
  SECTION("a list") {
    source.overlay = R"({"ready":[{"file":{"path":"/run/a"}}]})";
    CHECK(probe_name(parse_good(source).ready.at(0)) == "file:/run/a");
  }
  SECTION("health, also of the same kind") {
    source.overlay = R"({"health":{"probe":{"tcp":{"port":81}}}})";
    const auto spec = parse_good(source);
    REQUIRE(spec.health);
    CHECK(std::get<TcpProbe>(spec.health->probe).port == 81);
    CHECK(std::get<TcpProbe>(spec.health->probe).address == "127.0.0.1");
    CHECK(spec.health->interval == std::chrono::seconds(2));
  }
  SECTION("two kinds in the overlay stay an error") {
    source.overlay = R"({"ready":{"tcp":{"port":7000},"unix":{"path":"/a"}}})";
    CHECK(problems(parse(source)).size() == 1);
  }
}

TEST_CASE("overlay: what is wrong in it is an error of the service", "[shared][service_spec]") {
  auto source = specs::file("web");
  source.overlay = R"({"reddy":{}})";
  CHECK(problems(parse(source)) == Problems{"reddy: unknown key"});
  source.overlay = "[1]";
  CHECK(problems(parse(source)) == Problems{"(overlay): not an object"});
  source.overlay = "{";
  CHECK(parse(source).errors.size() == 1);
}

}  // namespace vigil::service_spec
