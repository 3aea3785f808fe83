#include "guest/readiness/http_message.hpp"
#include "guest/readiness/sha1.hpp"
#include "guest/readiness/websocket_dialogue.hpp"
#include "tests/unit/guest/readiness/local_server.hpp"

namespace vigil::guest::readiness {
namespace {

service_spec::WebsocketProbe rfb_over_websocket() {
  service_spec::WebsocketProbe probe;
  probe.port = 6080;
  probe.path = "/websockify";
  probe.subprotocol = "binary";
  probe.first_bytes = "RFB 003.";
  return probe;
}

std::string key_in(const std::string& request) {
  const std::string name = "Sec-WebSocket-Key: ";
  const auto at = request.find(name);
  return at == std::string::npos ? "" : request.substr(at + name.size(), request.find("\r\n", at) - at - name.size());
}

std::string upgrade_for(const std::string& request, const std::string& more = "") {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
         websocket_accept(key_in(request)) + "\r\n" + more + "\r\n";
}

std::string frame(unsigned opcode, const std::string& payload) {
  std::string bytes{static_cast<char>(0x80 | opcode)};
  bytes += static_cast<char>(payload.size());
  return bytes + payload;
}

/// What the dialogue says to the whole answer, wherever it is cut.
Turn answered(WebsocketDialogue& dialogue, const std::string& answer, Input at_end = Input::goes_on) {
  std::string unread;
  for (const char byte : answer) {
    unread += byte;
    Turn turn = dialogue.take(unread, Input::goes_on);
    if (turn.kind != Turn::Kind::more) return turn;
  }
  return dialogue.take(unread, at_end);
}

std::string got(const Turn& turn) { return turn.finding ? protocol::field_text(*turn.finding, "got").value_or("?") : "nothing"; }

TEST_CASE("sha1: the standard's examples", "[guest][readiness]") {
  const auto hex = [](const std::string& bytes) {
    std::string text;
    for (const char byte : bytes) {
      static constexpr char digits[] = "0123456789abcdef";
      text += digits[static_cast<unsigned char>(byte) >> 4];
      text += digits[static_cast<unsigned char>(byte) & 15];
    }
    return text;
  };
  CHECK(hex(sha1("")) == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(hex(sha1("abc")) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(hex(sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) == "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  CHECK(hex(sha1(std::string(1'000'000, 'a'))) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST_CASE("websocket: the answer to a key is the standard's", "[guest][readiness]") {
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("websocket: the request asks for what the file says, with another key each time", "[guest][readiness]") {
  WebsocketDialogue dialogue(rfb_over_websocket());
  const std::string request = dialogue.begin();
  CHECK(request.starts_with("GET /websockify HTTP/1.1\r\nHost: 127.0.0.1:6080\r\n"));
  CHECK(request.find("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n") != std::string::npos);
  CHECK(request.find("\r\nSec-WebSocket-Protocol: binary\r\n") != std::string::npos);
  CHECK(key_in(request).size() == 24);
  CHECK(key_in(dialogue.begin()) != key_in(request));
}

TEST_CASE("websocket: an upgrade and the first bytes pass, wherever they are cut", "[guest][readiness]") {
  WebsocketDialogue dialogue(rfb_over_websocket());
  const std::string upgrade = upgrade_for(dialogue.begin(), "sec-websocket-protocol:binary\r\n");
  CHECK(answered(dialogue, upgrade).kind == Turn::Kind::more);
  CHECK(answered(dialogue, upgrade + frame(2, "RFB 003.008\n")).kind == Turn::Kind::passed);
  CHECK(answered(dialogue, upgrade + frame(9, "ping") + frame(2, "RFB") + frame(0, " 003.")).kind == Turn::Kind::passed);
}

TEST_CASE("websocket: what is no upgrade, or has other first bytes, is named", "[guest][readiness]") {
  WebsocketDialogue dialogue(rfb_over_websocket());
  const std::string upgrade = upgrade_for(dialogue.begin());
  CHECK(got(answered(dialogue, "RFB 003.008\n")) == "R");   // refused at the first wrong byte
  CHECK(got(answered(dialogue, "HTTP/1.1 404 Not Found\r\n\r\n")) == "HTTP status 404");
  CHECK(got(answered(dialogue, "HTTP/1.1 200 OK\r\n\r\n<html>")) == "HTTP status 200");
  CHECK(got(answered(dialogue, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")) ==
        "an upgrade with a wrong Sec-WebSocket-Accept");
  CHECK(got(answered(dialogue, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")) == "an upgrade to something else");
  CHECK(got(answered(dialogue, upgrade_for(dialogue.begin(), "Sec-WebSocket-Protocol: chat\r\n"))) == "the subprotocol chat");
  const std::string again = upgrade_for(dialogue.begin());
  const Turn other = answered(dialogue, again + frame(2, "SSH-2.0"));
  CHECK(other.finding.value().text == "service.wrong_protocol");
  CHECK(protocol::field_text(*other.finding, "expected") == "RFB 003.");
  CHECK(got(other) == "S");
  CHECK(got(answered(dialogue, again + "\xff\xff")) == "a malformed frame");
  CHECK(answered(dialogue, again + frame(8, "")).finding.value().text == "service.not_answering");
  CHECK(answered(dialogue, again, Input::has_ended).finding.value().text == "service.not_answering");
  CHECK_FALSE(answered(dialogue, "HTTP/1.1 503 Unavailable\r\n\r\n").finding);   // not yet
}

TEST_CASE("websocket: frames that lie about their length are read as far as they go", "[guest][readiness]") {
  CHECK(read_websocket_frames(std::string("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10) + "abc").payload == "abc");
  CHECK(read_websocket_frames(std::string("\x82\x7e\x00", 3)).payload.empty());
  CHECK(read_websocket_frames("\x82").payload.empty());
  CHECK(read_websocket_frames(std::string("\x82\x83kkkkabc")).malformed);   // a server does not mask
  CHECK_FALSE(read_websocket_frames("").malformed);
}

TEST_CASE("websocket: over a real socket, silence after the connection is named", "[guest][readiness]") {
  ProbeScene scene;
  const TestSocket socket;
  socket.start_listening();
  service_spec::WebsocketProbe probe = rfb_over_websocket();
  probe.port = socket.port();
  SECTION("nobody accepts") {
    scene.start_on_ourselves({probe});
    REQUIRE(scene.wait_for_finding("service.not_answering"));
  }
  SECTION("an HTTP server without WebSockets") {
    const LocalServer server(scene.loop, socket, {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"});
    scene.start_on_ourselves({probe});
    REQUIRE(scene.wait_for_finding("service.wrong_protocol"));
    CHECK(server.last_request().starts_with("GET /websockify "));
  }
}

}  // namespace
}  // namespace vigil::guest::readiness
