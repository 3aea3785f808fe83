#include "guest/signin/screen.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>

namespace vigil::guest::signin {
namespace {

std::vector<std::string> shown(const Screen& screen) {
  std::vector<std::string> texts;
  for (const auto& line : screen.cells().lines()) texts.push_back(line.text);
  while (!texts.empty() && texts.back().empty()) texts.pop_back();
  return texts;
}

std::vector<std::string> after(std::string_view bytes, std::uint16_t rows = 5, std::uint16_t columns = 10) {
  Screen screen(rows, columns);
  screen.write(bytes);
  return shown(screen);
}

using Texts = std::vector<std::string>;

TEST_CASE("screen: text, line ends, tabs and backspaces", "[guest][signin]") {
  CHECK(after("one\r\ntwo\n!\rT") == Texts{"one", "two", "T  !"});
  CHECK(after("ab\bc\td") == Texts{"ac      d"});
}

TEST_CASE("screen: what is written past the last column goes on in the next row, and is known to", "[guest][signin]") {
  Screen screen(5, 10);
  screen.write("0123456789");
  CHECK(screen.row() == 0);   // not before another character comes
  screen.write("abc\r\nend");
  CHECK(shown(screen) == Texts{"0123456789", "abc", "end"});
  CHECK(screen.cells().lines()[0].wrapped);
  CHECK_FALSE(screen.cells().lines()[1].wrapped);
  CHECK(after("\x1b[?7l0123456789abc") == Texts{"012345678c"});
}

TEST_CASE("screen: cursor movements and erasures", "[guest][signin]") {
  CHECK(after("aaaa\r\nbbbb\r\ncccc\x1b[2;3HX\x1b[A\x1b[DY\x1b[4G\x1b[K") == Texts{"aaY", "bbXb", "cccc"});
  CHECK(after("aaaa\r\nbbbb\r\ncccc\x1b[2;3H\x1b[J") == Texts{"aaaa", "bb"});
  CHECK(after("aaaa\r\nbbbb\x1b[2;2H\x1b[1J") == Texts{"", "  bb"});
  CHECK(after("aaaa\x1b[2J\x1b[Hb") == Texts{"b"});
  CHECK(after("abcdef\x1b[1;3H\x1b[2P\x1b[1@\x1b[6G\x1b[X") == Texts{"ab ef"});
  CHECK(after("1\r\n2\r\n3\x1b[2;1H\x1b[L\x1b[1;1H\x1b[M") == Texts{"", "2", "3"});
}

TEST_CASE("screen: a redrawn block, as the CLIs draw it, leaves its last state", "[guest][signin]") {
  const std::string up = "\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[G";
  CHECK(after("old 1\r\nold 2\r\n" + up + "new\r\n") == Texts{"new"});
}

TEST_CASE("screen: what scrolls off is kept, bounded, and a region scrolls alone", "[guest][signin]") {
  Screen screen(3, 10);
  for (int i = 0; i < 200; ++i) screen.write("line " + std::to_string(i) + "\r\n");
  const auto lines = screen.cells().lines_with_history();
  CHECK(lines.size() == Cells::max_history + 3);
  CHECK(lines.front().text == "line 134");
  CHECK(shown(screen) == Texts{"line 198", "line 199"});
  CHECK(after("a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[3;1H\n!") == Texts{"a", "c", "!", "d"});
}

TEST_CASE("screen: the queries that CLIs wait for are answered", "[guest][signin]") {
  Screen screen(24, 80);
  screen.write("abc\r\nde\x1b[6n\x1b[5n\x1b[c\x1b[>c\x1b[?u\x1b[?2026$p\x1b[?6n");
  CHECK(screen.take_answers() == "\x1b[2;3R\x1b[0n\x1b[?62;22c\x1b[>1;10;0c\x1b[?0u\x1b[?2026;0$y\x1b[?2;3R");
  CHECK(screen.take_answers().empty());
  screen.write("\x1b]11;?\x07\x1b]10;?\x1b\\\x1b[18t\x1b[>q");
  CHECK(screen.take_answers() == "\x1b]11;rgb:0000/0000/0000\x1b\\\x1b]10;rgb:ffff/ffff/ffff\x1b\\\x1b[8;24;80t\x1bP>|vigil\x1b\\");
}

TEST_CASE("screen: questions without end get answers with one", "[guest][signin]") {
  Screen screen(24, 80);
  for (int i = 0; i < 10'000; ++i) screen.write("\x1b[6n");
  CHECK(screen.take_answers().size() <= 4096);
}

TEST_CASE("screen: links are told with where they point", "[guest][signin]") {
  Screen screen(5, 20);
  screen.write("\x1b]8;id=1;https://a.example/x?y=z\x1b\\here\x1b]8;;\x1b\\ \x1b]8;;https://b.example/\x07there\x1b]8;;\x07");
  CHECK(screen.take_links() == Texts{"https://a.example/x?y=z", "https://b.example/"});
  CHECK(shown(screen) == Texts{"here there"});
  screen.write("\x1b]8;;" + std::string(100'000, 'x') + "\x07ok");
  CHECK(screen.take_links().empty());
}

TEST_CASE("screen: bytes cut anywhere draw the same", "[guest][signin]") {
  const std::string all =
      "\x1b[1;31mr\xc3\xa9\xe2\x94\x82\xf0\x9f\x98\x80 \x1b[3;2Hx\x1b]0;title\x07y\x1bP1$r0m\x1b\\z\x1b(B\x1b[38;2;1;2;3mw\xff\xc3";
  const auto whole = after(all);
  for (std::size_t step = 1; step < all.size(); ++step) {
    Screen screen(5, 10);
    for (std::size_t at = 0; at < all.size(); at += step) screen.write(std::string_view(all).substr(at, step));
    CHECK(shown(screen) == whole);
  }
  CHECK(whole == Texts{"r\xc3\xa9\xe2\x94\x82\xf0\x9f\x98\x80", "", " xyzw\xef\xbf\xbd"});
}

}  // namespace
}  // namespace vigil::guest::signin
