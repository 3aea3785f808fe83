#include "guest/link/backoff.hpp"
#include "guest/link/guest_request.hpp"
#include "guest/link/host_line.hpp"
#include "guest/link/vsock_dial.hpp"

#include "host_end.hpp"

#include <catch2/catch_test_macros.hpp>

#include <csignal>

namespace vigil::guest::link {

using namespace std::chrono_literals;

TEST_CASE("back-off: 10 ms doubling to 200 ms for five seconds, then up to one second; welcome starts it over", "[guest][link]") {
  Backoff backoff;
  REQUIRE(backoff.next() == 10ms);
  REQUIRE(backoff.next() == 20ms);
  std::chrono::milliseconds total{30}, delay{0};
  while (total < 5'000ms) {
    delay = backoff.next();
    REQUIRE(delay <= 200ms);
    total += delay;
  }
  for (int i = 0; i < 5; ++i) delay = backoff.next();
  REQUIRE(delay == 1'000ms);
  backoff.reset();
  REQUIRE(backoff.next() == 10ms);
}

TEST_CASE("vsock: a process that is not PID 1 of a VM of ours is refused before a socket exists", "[guest][link]") {
  VsockDialler dialler;
  const auto dialled = dialler.dial();
  REQUIRE_FALSE(dialled.has_value());
  REQUIRE(dialled.error().code() == Errc::denied);
}

TEST_CASE("requests: typed, with the wrong word named", "[guest][link]") {
  const auto parse = [](const std::string& op, const std::string& args) { return parse_guest_request(protocol::Request{1, op, args}); };
  REQUIRE(std::get<ShutdownRequest>(*parse("shutdown", R"({"kind":"reboot"})")).kind == protocol::ByeReport::Kind::reboot);
  REQUIRE(std::get<ShutdownRequest>(*parse("shutdown", "")).kind == protocol::ByeReport::Kind::poweroff);
  const auto service = std::get<ServiceRequest>(*parse("service", R"({"name":"web","action":"restart"})"));
  REQUIRE(service.name.value() == "web");
  REQUIRE(service.action == "restart");
  REQUIRE(std::get<ServiceRequest>(*parse("service", R"({"name":"web","action":"reload"})")).action == "reload");
  REQUIRE(std::get<SignalRequest>(*parse("service", R"({"name":"web","action":"signal","signal":"SIGHUP"})")).signal == SIGHUP);
  REQUIRE(std::get<SignalRequest>(*parse("service", R"({"name":"web","action":"signal","signal":"USR1"})")).signal == SIGUSR1);
  REQUIRE(parse("service", R"({"name":"web","action":"signal","signal":"SIGNOPE"})").error().message().find("SIGNOPE") != std::string::npos);
  REQUIRE(parse("service", R"({"name":"web","action":"signal"})").error().message().find("signal") != std::string::npos);
  REQUIRE(std::get<LogsRequest>(*parse("logs", R"({"name":"web"})")).name.value() == "web");
  REQUIRE(parse("logs", R"({"name":"../web"})").error().code() == Errc::invalid);
  REQUIRE(std::holds_alternative<DiagnoseRequest>(*parse("diagnose", "{}")));

  REQUIRE(parse("service", R"({"name":"web","action":"explode"})").error().message().find("explode") != std::string::npos);
  REQUIRE(parse("service", R"({"action":"stop"})").error().message().find("name") != std::string::npos);
  REQUIRE(parse("shutdown", R"({"kind":"halt"})").error().code() == Errc::invalid);
  REQUIRE(parse("shutdown", "[]").error().code() == Errc::invalid);
  REQUIRE(parse("hibernate", "{}").error().code() == Errc::unsupported);

  const std::string hash(64, 'a');
  REQUIRE(std::get<UpgradeRequest>(*parse("upgrade", R"({"path":"/run/vigil/next-agent","sha256":")" + hash + "\"}")).sha256 == hash);
  REQUIRE(parse("upgrade", R"({"path":"next-agent","sha256":")" + hash + "\"}").error().message().find("path") != std::string::npos);
  REQUIRE(parse("upgrade", R"({"path":"/agent","sha256":"AA"})").error().message().find("sha256") != std::string::npos);
}

namespace {

LinkFacts test_facts() {
  LinkFacts facts;
  facts.boot = test_boot;
  facts.hello.protocols = {1};
  facts.hello.phase = "init";
  return facts;
}

}  // namespace

TEST_CASE("bye: done as soon as the host has committed it", "[guest][link]") {
  EventLoop loop;
  HostEnd host(loop);
  host.listen();
  UnixDialler dialler(host.path());
  HostLine line(loop, dialler, guest::console::ConsolePort(), test_facts(), {});
  line.link().start();
  host.receive_a<protocol::Hello>();
  host.welcome("t");
  host.until([&] { return line.link().is_up(); });

  bool done = false;
  line.say_bye({}, 1h, [&] { done = true; });
  const auto bye = host.receive_a<protocol::Report>();
  REQUIRE(std::holds_alternative<protocol::ByeReport>(bye.body));
  REQUIRE_FALSE(done);
  host.send(protocol::Ack{bye.seq});
  host.until([&] { return done; });
}

TEST_CASE("bye: waits no longer than its limit, and not at all without a link", "[guest][link]") {
  EventLoop loop;
  HostEnd host(loop);
  UnixDialler dialler(host.path());
  HostLine line(loop, dialler, guest::console::ConsolePort(), test_facts(), {});
  bool done = false;
  SECTION("no link") { line.say_bye({}, 1h, [&] { done = true; }); }
  SECTION("a silent host") {
    host.listen();
    line.link().start();
    host.receive_a<protocol::Hello>();
    host.welcome("t");
    host.until([&] { return line.link().is_up(); });
    line.say_bye({}, 30ms, [&] { done = true; });
  }
  host.until([&] { return done; });
}

}  // namespace vigil::guest::link
