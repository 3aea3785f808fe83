#include "shared/framing/frame.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <vector>

namespace vigil::framing {

namespace {

std::vector<std::string> frames_of(FrameReader& reader) {
  std::vector<std::string> frames;
  for (auto frame = reader.next(); frame && *frame; frame = reader.next()) frames.push_back(std::move(**frame));
  return frames;
}

}  // namespace

TEST_CASE("frame: four bytes of length, little end first, then the payload", "[shared][framing]") {
  CHECK(make_frame("abc") == std::string("\x03\0\0\0abc", 7));
  CHECK(make_frame(std::string(0x010203, 'x')).substr(0, 4) == std::string("\x03\x02\x01\0", 4));
}

TEST_CASE("frame: however the bytes are cut, the same frames come out", "[shared][framing]") {
  const std::string bytes = make_frame("first") + make_frame("") + make_frame(std::string(5000, 'x')) + make_frame("last");
  const std::size_t step = GENERATE(1, 2, 3, 7, 4096, 100'000);
  FrameReader reader;
  std::vector<std::string> frames;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    reader.feed(std::string_view(bytes).substr(at, step));
    for (auto& frame : frames_of(reader)) frames.push_back(std::move(frame));
  }
  CHECK(frames == std::vector<std::string>{"first", "", std::string(5000, 'x'), "last"});
  CHECK(reader.buffered() == 0);
}

TEST_CASE("frame: a payload of just the limit passes, one byte more does not", "[shared][framing]") {
  FrameReader reader(8);
  reader.feed(make_frame("12345678"));
  CHECK(frames_of(reader).size() == 1);
  reader.feed(make_frame("123456789"));
  CHECK(reader.next().error().code() == Errc::limit);
}

TEST_CASE("frame: after a length over the limit nothing is read any more", "[shared][framing]") {
  FrameReader reader;
  reader.feed(std::string("\xff\xff\xff\xff", 4));
  CHECK(reader.next().has_error());
  reader.feed(make_frame("innocent"));
  CHECK(reader.next().error().code() == Errc::limit);
}

TEST_CASE("frame: a header alone waits for its payload", "[shared][framing]") {
  FrameReader reader;
  reader.feed(std::string("\x02\0\0\0a", 5));
  CHECK(reader.next().value() == std::nullopt);
  CHECK(reader.buffered() == 5);
  reader.feed("b");
  CHECK(reader.next().value() == "ab");
}

}  // namespace vigil::framing
