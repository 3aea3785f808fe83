#include "tests/unit/guest/streams/stage.hpp"

#include <vector>

namespace vigil::guest::streams {
namespace {

ExecOpening endless() {
  ExecOpening open;
  open.argv = {"cat", "/dev/zero"};
  return open;
}

TEST_CASE("stream: a reader that does not read stalls its program, and nobody else", "[guest][streams]") {
  Stage stage;
  const auto slow = stage.open(endless());
  stage.accepted(*slow);
  slow->stop_reading();
  for (int turn = 0; turn < 200; ++turn) stage.loop.run_once(std::chrono::milliseconds(1));
  ExecOpening quick;
  quick.argv = {"echo", "here"};
  const auto other = stage.open(quick);
  stage.until([&] { return other->is_over(); });
  CHECK(other->got[Channel::out] == "here\n");
  const auto before = slow->got[Channel::out].size();
  slow->watch();
  stage.until([&] { return slow->got[Channel::out].size() > before + 4'000'000; });   // and goes on when it is read
  slow->tell(Signal{9});
  stage.until([&] { return slow->is_over(); });
}

TEST_CASE("stream: a wrong opening is refused and then nothing more is taken", "[guest][streams]") {
  Stage stage;
  const auto garbage = stage.dial();
  garbage->send_bytes(framing::make_frame("not json"));
  stage.until([&] { return garbage->is_over(); });
  CHECK(garbage->answer->has_error());
  garbage->close();
  const auto large = stage.dial();
  large->send_bytes(std::string("\xff\xff\xff\x7f", 4));
  stage.until([&] { return large->is_over(); });
  CHECK(large->answer->error().code() == Errc::limit);
  large->close();
  stage.until([&] { return stage.server->open_streams() == 0; });
}

TEST_CASE("stream: a wrong chunk ends it with a problem", "[guest][streams]") {
  Stage stage;
  auto open = endless();
  open.argv = {"cat"};   // ends with us
  open.with_stdin = true;
  const auto stream = stage.open(open);
  stage.accepted(*stream);
  stream->send_bytes(std::string("\x09\x01\x00\x00\x00x", 6));
  stage.until([&] { return stream->is_over(); });
  CHECK(stream->last<Problem>()->code == Errc::protocol);
}

TEST_CASE("stream: chunks that come with the opening are not lost, however it is cut", "[guest][streams]") {
  Stage stage;
  ExecOpening open;
  open.argv = {"cat"};
  open.with_stdin = true;
  auto bytes = framing::make_frame(encode(Opening(open)));
  append_chunks(bytes, Channel::data, "at once");
  append_end(bytes, Channel::data);
  for (const std::size_t cut : {std::size_t{1}, std::size_t{4}, bytes.size() - 8, bytes.size()}) {
    const auto stream = stage.dial();
    stream->send_bytes(std::string_view(bytes).substr(0, cut));
    for (int turn = 0; turn < 3; ++turn) stage.loop.run_once(std::chrono::milliseconds(1));
    stream->send_bytes(std::string_view(bytes).substr(cut));
    stage.until([&] { return stream->is_over(); });
    CHECK(stream->got[Channel::out] == "at once");
  }
}

TEST_CASE("stream: two hundred and fifty-six at once, one more is refused with a word", "[guest][streams]") {
  Stage stage;
  std::vector<std::unique_ptr<HostStream>> streams;
  for (std::size_t i = 0; i < max_streams; ++i) {
    streams.push_back(stage.dial());
    stage.loop.run_once(std::chrono::milliseconds(1));   // the listener's backlog is shorter than that
  }
  stage.until([&] { return stage.server->open_streams() == max_streams; });
  const auto refused = stage.open(TcpOpening{1});
  stage.until([&] { return refused->answer.has_value(); });
  CHECK(refused->answer->error().code() == Errc::limit);
  streams.clear();
  refused->close();
  stage.until([&] { return stage.server->open_streams() == 0; });
}

}  // namespace
}  // namespace vigil::guest::streams
