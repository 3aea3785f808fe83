#include "guest/readiness/rfb_dialogue.hpp"
#include "tests/unit/guest/readiness/local_server.hpp"

namespace vigil::guest::readiness {
namespace {

using Speaks = LocalServer::Speaks;
using Then = LocalServer::Then;

TEST_CASE("rfb: the banner passes, in one connection that we end", "[guest][readiness]") {
  ProbeScene scene;
  const TestSocket socket;
  scene.start_on_ourselves({service_spec::RfbProbe{socket.port()}});
  scene.settle();
  CHECK_FALSE(scene.probes->all_passed());
  socket.start_listening();
  const LocalServer server(scene.loop, socket, {"RFB 003.008\n"}, Speaks::at_once, Then::stays);
  CHECK(scene.wait_until_passed());
  CHECK(server.count() == 1);
}

TEST_CASE("rfb: another protocol, silence and a server that hangs up are named", "[guest][readiness]") {
  ProbeScene scene;
  const TestSocket socket;
  socket.start_listening();
  SECTION("another protocol") {
    const LocalServer server(scene.loop, socket, {"SSH-2.0-OpenSSH_9.2\r\n"}, Speaks::at_once);
    scene.start_on_ourselves({service_spec::RfbProbe{socket.port()}});
    REQUIRE(scene.wait_for_finding("service.wrong_protocol"));
    CHECK(protocol::field_text(*scene.probes->finding(), "port") == std::to_string(socket.port()));
    CHECK(protocol::field_text(*scene.probes->finding(), "expected") == "rfb");
    CHECK(protocol::field_text(*scene.probes->finding(), "got").value_or("").starts_with("SSH-2.0-OpenSSH"));
  }
  SECTION("silence") {
    const LocalServer server(scene.loop, socket, {""}, Speaks::at_once, Then::stays);
    scene.start_on_ourselves({service_spec::RfbProbe{socket.port()}});
    REQUIRE(scene.wait_for_finding("service.not_answering"));
    CHECK(protocol::field_text(*scene.probes->finding(), "port") == std::to_string(socket.port()));
  }
  SECTION("a server that waits for its client") {
    const LocalServer server(scene.loop, socket, {"HTTP/1.1 400 Bad Request\r\n\r\n"});
    scene.start_on_ourselves({service_spec::RfbProbe{socket.port()}});
    REQUIRE(scene.wait_for_finding("service.wrong_protocol"));
    CHECK(protocol::field_text(*scene.probes->finding(), "expected") == "rfb");
    CHECK(protocol::field_text(*scene.probes->finding(), "got").value_or("").starts_with("HTTP/1.1 400"));
    CHECK(server.last_request().starts_with("RFB 003.008\n"));
  }
  SECTION("a server that greets when it is spoken to") {
    const LocalServer server(scene.loop, socket, {"RFB 003.008\n"});
    scene.start_on_ourselves({service_spec::RfbProbe{socket.port()}});
    CHECK(scene.wait_until_passed());
  }
  SECTION("half a banner") {
    const LocalServer server(scene.loop, socket, {"RFB 003"}, Speaks::at_once);
    scene.start_on_ourselves({service_spec::RfbProbe{socket.port()}});
    REQUIRE(scene.wait_for_finding("service.wrong_protocol"));
  }
}

TEST_CASE("rfb banner: read piece by piece, refused at the first wrong byte", "[guest][readiness]") {
  const std::string banner = "RFB 003.008\n";
  for (std::size_t length = 0; length < banner.size(); ++length) CHECK(read_rfb_banner(banner.substr(0, length)) == RfbBanner::incomplete);
  CHECK(read_rfb_banner(banner + "more") == RfbBanner::right);
  for (const char* text : {"R F", "RFB 0x3", "RFB 003.008\r", "HTTP/1.1"}) CHECK(read_rfb_banner(text) == RfbBanner::wrong);
}

TEST_CASE("stable-for: a process that lives for so long passes, and not before", "[guest][readiness]") {
  ProbeScene scene;
  const MonoUs begun = scene.loop.now_us();
  scene.start({service_spec::StableForProbe{std::chrono::milliseconds(200)}}, "exec sleep 1000");
  scene.settle();
  CHECK_FALSE(scene.probes->all_passed());
  CHECK(scene.wait_until_passed());
  CHECK(scene.loop.now_us() - begun >= 200'000);
}

}  // namespace
}  // namespace vigil::guest::readiness
