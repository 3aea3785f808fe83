#include "guest/link/link.hpp"

#include "host_end.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/socket.h>

#include <string>
#include <vector>

namespace vigil::guest::link {

using namespace std::chrono_literals;

namespace {

const SystemClock system_clock;

struct GuestEnd {
  GuestEnd(EventLoop& loop, const std::string& path, report::OutboxState left = {}, SilencePeriods silence = {})
      : outbox(test_boot, system_clock, std::move(left)),
        dialler(path),
        link(loop, dialler, outbox, facts(silence), {[this](const protocol::Welcome& welcome) { welcomes.push_back(welcome); },
                                              [this](const protocol::Request& request) { requests.push_back(request); },
                                              [this] { ++acknowledgements; }, [this](UnixUs host) { host_clock = host; }}) {}

  static LinkFacts facts(SilencePeriods silence) {
    LinkFacts facts;
    facts.boot = test_boot;
    facts.hello.protocols = {1};
    facts.hello.phase = "init";
    facts.silence = silence;
    return facts;
  }

  void stage(const std::string& detail = "") {
    protocol::StageReport report;
    report.detail = detail;
    outbox.append(std::move(report));
    link.flush();
  }

  report::Outbox outbox;
  UnixDialler dialler;
  std::vector<protocol::Welcome> welcomes;
  std::vector<protocol::Request> requests;
  int acknowledgements = 0;
  UnixUs host_clock = 0;
  Link link;
};

struct Scene {
  explicit Scene(SilencePeriods silence = {}) : guest(loop, host.path(), {}, silence) { host.listen(); }
  void come_up(const std::string& token = "t0") {
    guest.link.start();
    host.receive_a<protocol::Hello>();
    host.welcome(token);
    host.until([this] { return guest.link.is_up(); });
  }
  EventLoop loop;
  HostEnd host{loop};
  GuestEnd guest;
};

constexpr SilencePeriods impatient{50ms, 20ms};

}  // namespace

TEST_CASE("link: hello first, reports only after welcome, and they are forgotten when acknowledged", "[guest][link]") {
  Scene scene;
  scene.guest.stage();
  scene.guest.link.start();
  const auto hello = scene.host.receive_a<protocol::Hello>();
  REQUIRE(hello.first_unacked == 1);
  REQUIRE(hello.token.empty());
  scene.loop.run_once(20ms);
  REQUIRE(scene.host.received.empty());

  scene.host.welcome("secret");
  const auto report = scene.host.receive_a<protocol::Report>();
  REQUIRE(report.seq == 1);
  REQUIRE(scene.guest.welcomes.size() == 1);
  scene.host.send(protocol::Ack{1});
  scene.host.until([&] { return scene.guest.outbox.size() == 0; });
  REQUIRE(scene.guest.acknowledgements == 1);
}

TEST_CASE("link: after a lost link the token goes along and everything unacknowledged goes again", "[guest][link]") {
  Scene scene;
  scene.come_up("secret");
  for (int i = 0; i < 3; ++i) scene.guest.stage();
  for (int i = 0; i < 3; ++i) scene.host.receive_a<protocol::Report>();
  scene.host.send(protocol::Ack{1});
  scene.host.until([&] { return scene.guest.outbox.size() == 2; });

  scene.host.hang_up();
  const auto hello = scene.host.receive_a<protocol::Hello>();
  REQUIRE(hello.token == "secret");
  REQUIRE(hello.first_unacked == 2);
  REQUIRE_FALSE(scene.guest.link.is_up());
  scene.host.welcome("secret");
  REQUIRE(scene.host.receive_a<protocol::Report>().seq == 2);
  REQUIRE(scene.host.receive_a<protocol::Report>().seq == 3);
}

TEST_CASE("link: dials again until somebody listens", "[guest][link]") {
  EventLoop loop;
  HostEnd host(loop);
  GuestEnd guest(loop, host.path());
  guest.link.start();
  for (int i = 0; i < 3; ++i) loop.run_once(15ms);
  host.listen();
  host.receive_a<protocol::Hello>();
}

TEST_CASE("link: takes messages that arrive one byte at a time", "[guest][link]") {
  Scene scene;
  scene.guest.link.start();
  scene.host.receive_a<protocol::Hello>();
  const auto frames = framing::make_frame(protocol::encode(protocol::Message{test_boot, 0, make_welcome("t")})) +
                      framing::make_frame(protocol::encode(protocol::Message{test_boot, 0, protocol::Request{7, "diagnose", "{}"}}));
  for (const char byte : frames) {
    scene.host.send_bytes(std::string_view(&byte, 1));
    scene.loop.run_once(20ms);
  }
  scene.host.until([&] { return scene.guest.requests.size() == 1; });
  REQUIRE(scene.guest.requests[0].id == 7);
}

TEST_CASE("link: survives the exec between two lives, whatever part of a frame is on its way", "[guest][link]") {
  const auto welcome = framing::make_frame(protocol::encode(protocol::Message{test_boot, 0, make_welcome("t")}));
  for (std::size_t cut = 0; cut <= welcome.size(); cut += 7) {
    INFO("cut after " << cut << " bytes");
    EventLoop loop;
    HostEnd host(loop);
    host.listen();
    GuestEnd first(loop, host.path());
    first.stage("of the first life");
    first.link.start();
    host.receive_a<protocol::Hello>();
    if (cut > 0) host.send_bytes(std::string_view(welcome).substr(0, cut));
    for (int i = 0; i < 3; ++i) loop.run_once(0ms);
    auto connection = first.link.release();
    REQUIRE(connection.fd);

    GuestEnd second(loop, host.path(), first.outbox.state());
    second.stage("of the second life");
    second.link.resume(std::move(connection));
    if (cut < welcome.size()) host.send_bytes(std::string_view(welcome).substr(cut));
    std::vector<Seq> seqs;
    while (seqs.size() < 2) seqs.push_back(host.receive_a<protocol::Report>().seq);
    REQUIRE(seqs == std::vector<Seq>{1, 2});
    REQUIRE(host.accepted == 1);
  }
}

TEST_CASE("link: what the host does not read waits, and arrives whole", "[guest][link]") {
  Scene scene;
  scene.come_up();
  scene.host.stop_reading();
  const std::string bulk(200, 'x');
  constexpr std::size_t count = 400;   // about four socket buffers
  for (std::size_t i = 0; i < count; ++i) {
    scene.guest.stage(bulk + std::to_string(i));
    scene.loop.run_once(0ms);
  }
  scene.host.resume_reading();
  scene.host.until([&] { return scene.host.received.size() == count; });
  for (std::size_t i = 0; i < count; ++i) {
    const auto report = scene.host.receive_a<protocol::Report>();
    REQUIRE(report.seq == i + 1);
    REQUIRE(std::get<protocol::StageReport>(report.body).detail == bulk + std::to_string(i));
  }
}

TEST_CASE("link: answers a ping with both clocks", "[guest][link]") {
  Scene scene;
  scene.come_up();
  const MonoUs before = scene.loop.now_us();
  scene.host.send(protocol::Ping{5, 777});
  const auto pong = scene.host.receive_a<protocol::Pong>();
  REQUIRE(pong.n == 5);
  REQUIRE(pong.sender_us == 777);
  REQUIRE(pong.answerer_us >= before);
  REQUIRE(scene.guest.host_clock == 0);   // it did not tell
  scene.host.send(protocol::Ping{6, 777, 1'790'000'000'000'000});
  scene.host.receive_a<protocol::Pong>();
  scene.host.until([&] { return scene.guest.host_clock == 1'790'000'000'000'000; });
}

TEST_CASE("link: a host that owes an answer and says nothing is given up, and everything goes again", "[guest][link]") {
  Scene scene(impatient);
  scene.come_up();
  scene.guest.stage("written into a dead connection");
  scene.host.receive_a<protocol::Report>();
  scene.host.until([&] { return scene.host.accepted == 2; });
  while (!std::holds_alternative<protocol::Hello>(scene.host.receive().content)) {}   // after the pings into the dead one
  scene.host.welcome("t0");
  REQUIRE(scene.host.receive_a<protocol::Report>().seq == 1);
}

TEST_CASE("link: an idle host that no longer answers is given up", "[guest][link]") {
  Scene scene(impatient);
  scene.come_up();
  scene.host.until([&] { return scene.host.accepted == 2; });
  REQUIRE_FALSE(scene.guest.link.is_up());
}

TEST_CASE("link: a host that cannot commit but answers keeps its link", "[guest][link]") {
  Scene scene(impatient);
  scene.come_up();
  scene.guest.stage();
  scene.host.receive_a<protocol::Report>();
  for (int answers = 0; answers < 12; ++answers) {
    const auto ping = scene.host.receive_a<protocol::Ping>();
    scene.host.send(protocol::Pong{ping.n, ping.sender_us, scene.loop.now_us()});
  }
  REQUIRE(scene.host.accepted == 1);
  REQUIRE(scene.guest.link.is_up());
}

TEST_CASE("link: bad bytes from the host end the link, and the next one begins clean", "[guest][link]") {
  Scene scene;
  scene.come_up();
  SECTION("an oversized frame") { scene.host.send_bytes(std::string("\xff\xff\xff\xff", 4)); }
  SECTION("malformed JSON") { scene.host.send_bytes(framing::make_frame("{\"v\":1,")); }
  SECTION("another version") { scene.host.send_bytes(framing::make_frame("{\"v\":99,\"t\":\"ack\",\"body\":{\"seq\":1}}")); }
  scene.host.until([&] { return scene.host.accepted == 2; });
  REQUIRE(scene.host.receive_a<protocol::Hello>().token == "t0");
  scene.host.welcome("t0");
  scene.host.until([&] { return scene.guest.link.is_up(); });
}

TEST_CASE("link: requests before welcome are not heard", "[guest][link]") {
  Scene scene;
  scene.guest.link.start();
  scene.host.receive_a<protocol::Hello>();
  scene.host.send(protocol::Request{1, "shutdown", "{}"});
  scene.host.welcome("t");
  scene.host.until([&] { return scene.guest.link.is_up(); });
  REQUIRE(scene.guest.requests.empty());
}

TEST_CASE("link: replies go to the link that asked, and are dropped with it", "[guest][link]") {
  Scene scene;
  scene.come_up();
  scene.guest.link.reply({3, true, "", "{}"});
  REQUIRE(scene.host.receive_a<protocol::Reply>().id == 3);
  scene.host.hang_up();
  scene.host.until([&] { return !scene.guest.link.is_up(); });
  scene.guest.link.reply({4, true, "", "{}"});
  REQUIRE(scene.host.receive_a<protocol::Hello>().token == "t0");
  scene.host.welcome("t0");
  scene.guest.stage();
  REQUIRE(std::holds_alternative<protocol::Report>(scene.host.receive().content));
}

TEST_CASE("link: stop ends it for good", "[guest][link]") {
  Scene scene;
  scene.come_up();
  scene.guest.link.stop();
  scene.host.until([&] { return scene.host.closed; });
  for (int i = 0; i < 5; ++i) scene.loop.run_once(20ms);
  REQUIRE(scene.host.accepted == 1);
}

}  // namespace vigil::guest::link
