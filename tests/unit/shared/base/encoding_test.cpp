#include "shared/base/encoding.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace vigil {

namespace {

struct Pair {
  std::string bytes, text;
};

std::string all_bytes() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  return bytes;
}

}  // namespace

TEST_CASE("base64: the vectors of RFC 4648", "[shared][base]") {
  const auto [bytes, text] = GENERATE(Pair{"", ""}, Pair{"f", "Zg=="}, Pair{"fo", "Zm8="}, Pair{"foo", "Zm9v"}, Pair{"foob", "Zm9vYg=="},
                                      Pair{"foobar", "Zm9vYmFy"});
  CHECK(to_base64(bytes) == text);
  CHECK(from_base64(text).value() == bytes);
}

TEST_CASE("base64: every byte comes back, in both alphabets", "[shared][base]") {
  CHECK(from_base64(to_base64(all_bytes())).value() == all_bytes());
  CHECK(from_base64url(to_base64url(all_bytes())).value() == all_bytes());
  CHECK(to_base64url("\xfb\xff") == "-_8");
}

TEST_CASE("base64: a text that no encoder writes is refused", "[shared][base]") {
  const std::string text = GENERATE(as<std::string>(), "Zg", "Zg=", "Z===", "Zh==", "Zm9v!", "Zm9v\n", "Zg==Zg==", "=", "====");
  CAPTURE(text);
  CHECK(from_base64(text).has_error());
}

TEST_CASE("base64url: padding, a dangling letter and stray bits are refused", "[shared][base]") {
  const std::string text = GENERATE(as<std::string>(), "Zg==", "Z", "Zh", "Zm9+");
  CAPTURE(text);
  CHECK(from_base64url(text).has_error());
}

TEST_CASE("crc32c: the vectors of RFC 3720", "[shared][base]") {
  std::string rising;
  for (int byte = 0; byte < 32; ++byte) rising += static_cast<char>(byte);
  CHECK(crc32c("123456789") == 0xe3069283U);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aaU);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43U);
  CHECK(crc32c(rising) == 0x46dd794eU);
  CHECK(crc32c("") == 0);
}

TEST_CASE("escaping: what a terminal would obey is spelled out", "[shared][base]") {
  CHECK(escape_for_terminal("\x1b]0;owned\a", Lines::keep) == "\\x1b]0;owned\\x07");
  CHECK(escape_for_terminal("\xc2\x9b"
                            "31m",
                            Lines::keep) == "\\xc2\\x9b31m");   // CSI as one C1 character
  CHECK(escape_for_terminal("a\rb\x7f", Lines::keep) == "a\\x0db\\x7f");
  CHECK(escape_for_terminal("\xff\xfe", Lines::keep) == "\\xff\\xfe");
}

TEST_CASE("escaping: text stays, and line ends where they are wanted", "[shared][base]") {
  CHECK(escape_for_terminal("gr\xc3\xbc\xc3\x9f dich \xe2\x82\xac", Lines::escape) == "gr\xc3\xbc\xc3\x9f dich \xe2\x82\xac");
  CHECK(escape_for_terminal("a\tb\n", Lines::keep) == "a\tb\n");
  CHECK(escape_for_terminal("a\tb\n", Lines::escape) == "a\\x09b\\x0a");
}

TEST_CASE("utf-8: overlong forms, surrogates and cut characters are none", "[shared][base]") {
  CHECK(utf8_character_length("\xc0\x80") == 0);
  CHECK(utf8_character_length("\xe0\x80\x80") == 0);
  CHECK(utf8_character_length("\xed\xa0\x80") == 0);
  CHECK(utf8_character_length("\xf4\x90\x80\x80") == 0);
  CHECK(utf8_character_length("\xe2\x82") == 0);
  CHECK(utf8_character_length("\xf0\x9f\x98\x80!") == 4);
}

TEST_CASE("utf-8: text is cut on the border of a character", "[shared][base]") {
  CHECK(to_valid_utf8("a\xe2\x82\xac", 3) == "a");
  CHECK(to_valid_utf8("a\xe2\x82\xac", 4) == "a\xe2\x82\xac");
  CHECK(to_valid_utf8("a\xff"
                      "b",
                      10) ==
        "a\xef\xbf\xbd"
        "b");
  CHECK(to_valid_utf8("\xff\xff", 5) == "\xef\xbf\xbd");
}

}  // namespace vigil
