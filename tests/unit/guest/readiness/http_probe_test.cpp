#include "guest/readiness/http_message.hpp"
#include "tests/unit/guest/readiness/local_server.hpp"

namespace vigil::guest::readiness {
namespace {

std::string answer(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

service_spec::HttpProbe probe_of(const TestSocket& socket) {
  service_spec::HttpProbe probe;
  probe.port = socket.port();
  probe.path = "/healthz";
  return probe;
}

TEST_CASE("http: one request once it listens, for the path that was asked", "[guest][readiness]") {
  ProbeScene scene;
  const TestSocket socket;
  scene.start_on_ourselves({probe_of(socket)});
  socket.start_listening();
  const LocalServer server(scene.loop, socket, {answer("200 OK", "fine")});
  CHECK(scene.wait_until_passed());
  CHECK(server.count() == 1);
  CHECK(server.last_request().starts_with("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(socket.port()) + "\r\n"));
}

TEST_CASE("http: another status or body is asked again until it is right", "[guest][readiness]") {
  ProbeScene scene;
  const TestSocket socket;
  socket.start_listening();
  service_spec::HttpProbe probe = probe_of(socket);
  probe.body = "up";
  const LocalServer server(scene.loop, socket, {answer("503 Unavailable", "up"), answer("200 OK", "starting"), answer("200 OK", "we are up now")});
  scene.start_on_ourselves({probe});
  CHECK(scene.wait_until_passed());
  CHECK(server.count() == 3);
}

TEST_CASE("http: a status that stays wrong is said in the time-out", "[guest][readiness]") {
  ProbeScene scene;
  const TestSocket socket;
  socket.start_listening();
  const LocalServer server(scene.loop, socket, {answer("500 Broken", "")});
  scene.start_on_ourselves({probe_of(socket)});
  REQUIRE(run_until(scene.loop, [&] { return !scene.probes->timeout_cause().evidence.empty(); }));
  CHECK(scene.probes->timeout_cause().text == "service.ready_timeout");
  CHECK(scene.probes->timeout_cause().evidence[0] == "http:" + std::to_string(socket.port()) + ": status 500");
}

TEST_CASE("http: another protocol and silence are named", "[guest][readiness]") {
  ProbeScene scene;
  const TestSocket socket;
  socket.start_listening();
  SECTION("another protocol") {
    const LocalServer server(scene.loop, socket, {"RFB 003.008\n"});
    scene.start_on_ourselves({probe_of(socket)});
    REQUIRE(scene.wait_for_finding("service.wrong_protocol"));
    CHECK(protocol::field_text(*scene.probes->finding(), "got").value_or("").starts_with("RFB 003.008"));
  }
  SECTION("a connection that is closed without a word") {
    const LocalServer server(scene.loop, socket, {""});
    scene.start_on_ourselves({probe_of(socket)});
    REQUIRE(scene.wait_for_finding("service.not_answering"));
  }
  SECTION("nobody accepts") {
    scene.start_on_ourselves({probe_of(socket)});
    REQUIRE(scene.wait_for_finding("service.not_answering"));
  }
}

TEST_CASE("http: an endless answer is cut off", "[guest][readiness]") {
  ProbeScene scene;
  const TestSocket socket;
  socket.start_listening();
  service_spec::HttpProbe probe = probe_of(socket);
  probe.body = "never there";
  const LocalServer server(scene.loop, socket, {"HTTP/1.1 200 OK\r\n\r\n" + std::string(200'000, 'x')});
  scene.start_on_ourselves({probe});
  CHECK(run_until(scene.loop, [&] { return server.count() >= 2; }));
  CHECK_FALSE(scene.probes->all_passed());
}

TEST_CASE("http reply: heads are read piece by piece, wrong ones refused at the first wrong byte", "[guest][readiness]") {
  HttpReply reply;
  const std::string whole = answer("204 No Content", "");
  for (std::size_t length = 0; length < whole.size(); ++length) CHECK(read_http_head(whole.substr(0, length), reply) == HttpProgress::incomplete);
  CHECK(read_http_head(whole, reply) == HttpProgress::head_complete);
  CHECK(reply.status == 204);
  for (const char* text : {"SSH-2.0-OpenSSH", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1\r\n\r\n", "X"})
    CHECK(read_http_head(text, reply) == HttpProgress::malformed);
}

TEST_CASE("http reply: chunks are taken apart, also when they lie about their length", "[guest][readiness]") {
  const auto body_of = [](const std::string& bytes) {
    HttpReply reply;
    REQUIRE(read_http_head(bytes, reply) == HttpProgress::head_complete);
    return decode_body(reply);
  };
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n";
  CHECK(body_of(head + "4\r\nwe a\r\n5;x=y\r\nre up\r\n0\r\n\r\n") == "we are up");
  CHECK(body_of(head + "ffffffffffffffff\r\nabc") == "abc");
  CHECK(body_of(head + "zz\r\nabc").empty());
  CHECK(body_of(head + "3").empty());
  CHECK(body_of("HTTP/1.1 200 OK\r\n\r\n4\r\nplain") == "4\r\nplain");
}

}  // namespace
}  // namespace vigil::guest::readiness
