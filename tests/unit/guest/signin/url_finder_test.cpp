#include "guest/signin/url_finder.hpp"
#include "guest/signin/redaction.hpp"
#include "guest/signin/screen.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::guest::signin {
namespace {

const std::string query =
    "?response_type=code&client_id=app_1&redirect_uri=http%3A%2F%2Flocalhost%3A1455%2Fauth%2Fcallback&scope=openid%20profile&code_challenge=abcdefghijklmnopqrstuvwxyz"
    "&code_challenge_method=S256&state=0123456789abcdef";
const std::string url = "https://auth.openai.com/oauth/authorize" + query;
const auto& codex = vigil::signin::provider_row(vigil::signin::Provider::codex);

std::vector<std::string> found_in(const std::string& bytes, std::uint16_t columns) {
  Screen screen(40, columns);
  screen.write(bytes);
  return find_urls(codex, screen.cells().lines_with_history(), columns);
}

/// As a program breaks it that knows the screen's width.
std::string broken(const std::string& text, std::size_t width, const std::string& left, const std::string& right) {
  std::string lines;
  for (std::size_t at = 0; at < text.size(); at += width) {
    auto part = text.substr(at, width);
    if (!right.empty()) part.resize(width, ' ');
    lines += left + part + right + "\r\n";
  }
  return lines;
}

TEST_CASE("url finder: broken by the terminal at any width, it is whole", "[guest][signin]") {
  for (std::uint16_t columns = 20; columns < 300; columns = static_cast<std::uint16_t>(columns + 7))
    CHECK(found_in("Go to:\r\n\r\n" + url + "\r\n\r\nand wait\r\n", columns) == std::vector<std::string>{url});
}

TEST_CASE("url finder: broken by the program, with and without a frame, it is whole", "[guest][signin]") {
  for (const std::size_t columns : {60U, 80U, 120U}) {
    const auto width = static_cast<std::uint16_t>(columns);
    CHECK(found_in("Go to:\r\n" + broken(url, columns - 1, "", "") + "\r\nPaste code here\r\n", width) == std::vector<std::string>{url});
    CHECK(found_in(broken(url, columns - 4, "\xe2\x94\x82 ", " \xe2\x94\x82") + "\r\n", width) == std::vector<std::string>{url});
    CHECK(found_in("  " + broken(url, columns - 8, "    ", "").substr(2) + "\r\nok", width) == std::vector<std::string>{url});
  }
}

TEST_CASE("url finder: the word in the next line is not its own", "[guest][signin]") {
  CHECK(found_in(url + "\r\nWaiting...\r\n", 80) == std::vector<std::string>{url});
  CHECK(found_in(url + "\r\nWaiting...\r\n", 400) == std::vector<std::string>{url});
  CHECK(found_in("(" + url + ")", 80) == std::vector<std::string>{url});
  CHECK(found_in("See " + url + ".\r\n", 400) == std::vector<std::string>{url});
}

TEST_CASE("url finder: what is not a sign-in address of this provider is none", "[guest][signin]") {
  CHECK(found_in("https://auth.openai.com/docs https://evil.example/oauth/authorize" + query, 400).empty());
  CHECK(found_in(url.substr(0, url.find("&state")), 400).empty());
}

TEST_CASE("url finder: scrolled off within one write it is still there", "[guest][signin]") {
  std::string flood = url + "\r\n";
  for (int i = 0; i < 60; ++i) flood += "line\r\n";
  CHECK(found_in(flood, 120) == std::vector<std::string>{url});
}

TEST_CASE("url finder: the port that the answer comes back to", "[guest][signin]") {
  CHECK(callback_port_of(url) == 1455);
  CHECK(callback_port_of("https://a/?redirect_uri=http://127.0.0.1:46343/cb") == 46343);
  CHECK(callback_port_of("https://a/?redirect_uri=http%3a%2f%2f127.0.0.1%3a99%2fcb&x=1") == 99);
  CHECK(callback_port_of("https://a/?redirect_uri=https%3A%2F%2Fcodeassist.example%2Fauthcode") == 0);
  CHECK(callback_port_of("https://a/?redirect_uri=http%3A%2F%2Flocalhost%3A99999999%2Fcb") == 0);
  CHECK(callback_port_of("https://a/") == 0);
}

TEST_CASE("redaction: of an address the host stays; tokens and codes go", "[guest][signin]") {
  CHECK(redacted_line("open https://auth.example/x?state=SECRET now") == "open https://auth.example/[...] now");
  CHECK(redacted_line("https://user:SECRET@host/") == "https://[...]");
  CHECK(redacted_line("token sk-SECRETSECRETSECRETSECRET.") == "token [...]");
  CHECK(redacted_line("code AB12-CD34 and x-ray") == "code [...] and x-ray");
  CHECK(redacted_line("\xe2\x94\x82 plain text, port 1455 \xe2\x94\x82") == "\xe2\x94\x82 plain text, port 1455 \xe2\x94\x82");
}

TEST_CASE("redaction: no part of a broken address is left, whatever the width", "[guest][signin]") {
  for (std::uint16_t columns = 30; columns < 200; columns = static_cast<std::uint16_t>(columns + 11)) {
    Screen screen(40, columns);
    screen.write("Go to:\r\n" + url + "\r\n\r\nError: refused\r\n");
    const auto text = redacted_screen(screen.cells().lines(), 8192);
    CAPTURE(columns, text);
    for (std::size_t at = url.find('?'); at + 6 <= url.size(); at += 3) CHECK(text.find(url.substr(at, 6)) == std::string::npos);
    CHECK(text.find("Error: refused") != std::string::npos);
    CHECK((text.find("https://auth.openai.com/[...]") != std::string::npos || columns < 40));
  }
}

TEST_CASE("redaction: the last lines are kept within the limit", "[guest][signin]") {
  std::vector<Line> lines;
  for (int i = 0; i < 1000; ++i) lines.push_back({"line " + std::to_string(i)});
  const auto text = redacted_screen(lines, 100);
  CHECK(text.size() <= 100);
  CHECK(text.starts_with("line 9"));
  CHECK(text.ends_with("line 999\n"));
  CHECK(redacted_screen({{""}, {""}}, 100).empty());
}

}  // namespace
}  // namespace vigil::guest::signin
