#include "shared/streams/chunk.hpp"
#include "shared/streams/control.hpp"
#include "shared/streams/opening.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::streams {

TEST_CASE("chunk: bytes of any length come back, cut anywhere", "[shared][streams]") {
  const std::string large(3 * max_chunk_bytes + 7, 'x');
  std::string wire;
  append_chunks(wire, Channel::out, "hello");
  append_chunks(wire, Channel::err, large);
  append_end(wire, Channel::control);
  for (const std::size_t step : {std::size_t{1}, std::size_t{4096}, wire.size()}) {
    ChunkReader reader;
    std::string out, err;
    bool ended = false;
    for (std::size_t at = 0; at < wire.size(); at += step) {
      reader.feed(std::string_view(wire).substr(at, step));
      for (;;) {
        const auto chunk = reader.next();
        REQUIRE(chunk.has_value());
        if (!*chunk) break;
        if ((*chunk)->channel == Channel::out) out += (*chunk)->bytes;
        if ((*chunk)->channel == Channel::err) err += (*chunk)->bytes;
        if ((*chunk)->channel == Channel::control) ended = (*chunk)->is_end();
      }
    }
    CHECK(out == "hello");
    CHECK(err == large);
    CHECK(ended);
    CHECK(reader.buffered() == 0);
  }
}

TEST_CASE("chunk: no bytes are no chunk, so that nothing ends by accident", "[shared][streams]") {
  std::string wire;
  append_chunks(wire, Channel::data, "");
  CHECK(wire.empty());
}

TEST_CASE("chunk: an unknown channel and a length over the limit end the stream", "[shared][streams]") {
  ChunkReader unknown;
  unknown.feed("\x04");
  CHECK(unknown.next().error().code() == Errc::protocol);
  ChunkReader long_one;
  long_one.feed(std::string("\x01\x01\x00\x01\x00", 5));   // 65537
  CHECK(long_one.next().error().code() == Errc::limit);
}

TEST_CASE("opening: each op comes back as it was", "[shared][streams]") {
  const Opening openings[] = {
      ExecOpening{{"/bin/ls", "-l"}, {{"A", "b=c"}}, "/tmp", "nobody", TerminalSize{50, 132}, true, false},
      ExecOpening{{}, {}, "", "root", {}, false, true},
      AttachOpening{"ex-0123"}, TcpOpening{6080}, FileReadOpening{"/etc/passwd", 10, 20}, FileReadOpening{"/x", 0, {}},
      FileWriteOpening{"/srv/file", 0640, "nobody"}, FileWriteOpening{"/srv/file", {}, ""}, DirListOpening{"/"}, DirWatchOpening{"/srv"},
      LogFollowOpening{"web", false, "b007", {{"web", {17, 4}}}}, LogFollowOpening{},
      SigninRunOpening{"ss-1", "codex", "agent", 600, TerminalSize{50, 132}}, SigninRunOpening{"ss-1", "codex"}, SigninTakeOpening{"ss-1"},
      SigninForgetOpening{"ss-1", std::string(64, 'a')}};
  for (const auto& opening : openings) {
    const auto decoded = decode_opening(encode(opening));
    REQUIRE(decoded.has_value());
    CHECK(*decoded == opening);
  }
}

TEST_CASE("opening: what is wrong is named by its key", "[shared][streams]") {
  const auto message = [](const char* text) { return decode_opening(text).error().message(); };
  CHECK(message(R"({"v":1,"op":"tcp","port":0})").starts_with("port"));
  CHECK(message(R"({"v":1,"op":"tcp","port":1,"host":"10.0.0.1"})").find("host") != std::string::npos);
  CHECK(message(R"({"v":1,"op":"file.read","path":"etc/passwd"})").starts_with("path"));
  CHECK(message("{\"v\":1,\"op\":\"file.read\",\"path\":\"/a\\u0000b\"}").starts_with("path"));
  CHECK(message(R"({"v":1,"op":"exec","argv":["a"],"env":{"A=B":"c"}})").starts_with("env.A=B"));
  CHECK(message("{\"v\":1,\"op\":\"exec\",\"argv\":[\"a\\u0000\"]}").starts_with("argv"));
  CHECK(message(R"({"v":1,"op":"signin.run","session":"../x","provider":"codex"})").find("session") != std::string::npos);
  CHECK(message(R"({"v":1,"op":"signin.run","session":"a","provider":"codex","deadline_s":0})").starts_with("deadline_s"));
  CHECK(message(R"({"v":1,"op":"signin.forget","session":"a","sha256":"AB"})").starts_with("sha256"));
  CHECK(message(R"({"v":1,"op":"signin.take","session":"a","path":"/etc/shadow"})").find("path") != std::string::npos);
  CHECK(decode_opening(R"({"v":1,"op":"fly"})").error().code() == Errc::unsupported);
  CHECK(decode_opening(R"({"v":2,"op":"tcp","port":1})").error().code() == Errc::unsupported);
  CHECK(decode_opening("[]").has_error());
}

TEST_CASE("opening: logs can be followed of as many services as a VM may have, and of no more", "[shared][streams]") {
  LogFollowOpening follow;
  for (std::size_t i = 0; i < max_services; ++i) follow.from["a-service-with-a-long-name-" + std::to_string(i)] = {9'000'000'000'000'000, 9'000'000'000'000'000};
  const auto decoded = decode_opening(encode(follow));
  REQUIRE(decoded.has_value());
  CHECK(std::get<LogFollowOpening>(*decoded).from.size() == max_services);
  follow.from["one-more"] = {};
  CHECK(decode_opening(encode(follow)).has_error());
}

TEST_CASE("answer: facts and problems come back", "[shared][streams]") {
  CHECK(*decode_answer(encode_answer(std::string(R"({"pid":7})"))) == R"({"pid":7})");
  const auto refused = decode_answer(encode_answer(Error(Errc::not_found, "no such program")));
  CHECK(refused.error().code() == Errc::not_found);
  CHECK(refused.error().message() == "no such program");
  CHECK(decode_answer(R"({"ok":false})").error().code() == Errc::protocol);
  CHECK(decode_answer("null").has_error());
}

TEST_CASE("control: each message comes back as it was", "[shared][streams]") {
  const Control messages[] = {Signal{15}, Resize{{10, 20}}, Exit{protocol::ExitCode{3}}, Exit{protocol::ExitSignal{11, true}}, Exit{protocol::ExitUnknown{"lost"}},
                              Done{1ULL << 40}, Lost{Channel::err, 77}, Problem{Errc::io, "disk"}};
  for (const auto& message : messages) {
    const auto decoded = decode_control(encode(message));
    REQUIRE(decoded.has_value());
    CHECK(*decoded == message);
  }
  CHECK(decode_control(R"({"dance":1})").error().code() == Errc::unsupported);
  CHECK(decode_control(R"({"signal":65})").has_error());
}

}  // namespace vigil::streams
