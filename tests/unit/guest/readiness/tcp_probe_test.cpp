#include "tests/unit/guest/readiness/probe_scene.hpp"

namespace vigil::guest::readiness {
namespace {

TEST_CASE("tcp: passes when the service listens, without a connection", "[guest][readiness]") {
  ProbeScene scene;
  const TestSocket socket;
  scene.start_on_ourselves({service_spec::TcpProbe{socket.port(), "127.0.0.1"}});
  scene.settle();
  CHECK_FALSE(scene.probes->all_passed());   // bound, but not listening
  socket.start_listening();
  CHECK(scene.wait_until_passed());
  CHECK_FALSE(socket.has_connection());
}

TEST_CASE("tcp: a child of the service counts as the service", "[guest][readiness]") {
  ProbeScene scene;
  std::uint16_t port = 0;
  {
    const TestSocket free;
    port = free.port();
  }
  scene.start({service_spec::TcpProbe{port, "127.0.0.1"}},
              "socat TCP-LISTEN:" + std::to_string(port) + ",bind=127.0.0.1,fork PIPE & wait");
  CHECK(scene.wait_until_passed());
}

TEST_CASE("tcp: a foreign listener is named as the holder of the port, and does not pass", "[guest][readiness]") {
  ProbeScene scene;
  const TestSocket socket;
  socket.start_listening();
  scene.start({service_spec::TcpProbe{socket.port(), "127.0.0.1"}}, "exec sleep 1000");
  REQUIRE(scene.wait_for_finding("service.port_taken"));
  CHECK(protocol::field_text(*scene.probes->finding(), "port") == std::to_string(socket.port()));
  CHECK(protocol::field_text(*scene.probes->finding(), "holder") == "pid " + std::to_string(getpid()));
  CHECK_FALSE(scene.probes->all_passed());
  CHECK(scene.probes->timeout_cause().text == "service.port_taken");
}

TEST_CASE("tcp: a listener on loopback where all addresses were asked for is the wrong address", "[guest][readiness]") {
  ProbeScene scene;
  const TestSocket socket("127.0.0.1");
  socket.start_listening();
  scene.start_on_ourselves({service_spec::TcpProbe{socket.port(), "0.0.0.0"}});
  REQUIRE(scene.wait_for_finding("service.wrong_address"));
  CHECK(protocol::field_text(*scene.probes->finding(), "wanted") == "0.0.0.0");
  CHECK(protocol::field_text(*scene.probes->finding(), "found") == "127.0.0.1");
}

TEST_CASE("tcp: a foreign listener on one address is named when all addresses were asked for", "[guest][readiness]") {
  ProbeScene scene;
  const TestSocket socket("127.0.0.1");
  socket.start_listening();
  scene.start({service_spec::TcpProbe{socket.port(), "0.0.0.0"}}, "exec sleep 1000");   // its bind(2) would be refused
  REQUIRE(scene.wait_for_finding("service.port_taken"));
  CHECK(protocol::field_text(*scene.probes->finding(), "holder") == "pid " + std::to_string(getpid()));
}

TEST_CASE("tcp: a foreign listener on another address is no obstacle", "[guest][readiness]") {
  ProbeScene scene;
  const TestSocket socket("127.0.0.2");
  socket.start_listening();
  scene.start({service_spec::TcpProbe{socket.port(), "127.0.0.1"}}, "exec sleep 1000");
  scene.settle();
  CHECK_FALSE(scene.probes->finding());
}

TEST_CASE("tcp: an obstacle that goes away is forgotten", "[guest][readiness]") {
  ProbeScene scene;
  TestSocket wrong("127.0.0.2");
  wrong.start_listening();
  scene.start_on_ourselves({service_spec::TcpProbe{wrong.port(), "127.0.0.1"}});
  REQUIRE(scene.wait_for_finding("service.wrong_address"));
  const UniqueFd right(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(wrong.port());
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(bind(right.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  REQUIRE(listen(right.get(), 1) == 0);
  CHECK(scene.wait_until_passed());
  CHECK_FALSE(scene.probes->finding());
}

}  // namespace
}  // namespace vigil::guest::readiness
