#include "shared/base/encoding.hpp"
#include "shared/console/record.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <cstdio>

namespace vigil::console {

namespace {

const BootId scanned_boot("6f1d2c3b-4a59-4687-9a8b-7c6d5e4f3a2b");
const std::string digest = R"({"p":"done","s":"initrd","t":"stage"})";
const std::string kernel_line = "[   12.345678] text";

std::string record() { return make_records(scanned_boot, 3, digest).at(0); }

}  // namespace

TEST_CASE("scanner: a kernel line printed at any place of a record is taken out, and both are found", "[shared][console]") {
  const std::string seam = GENERATE(as<std::string>(), "", "\n", "\r\n");
  const auto whole = record();
  const auto first_after_marker = whole.find("V1 ") + 3;
  for (std::size_t at = first_after_marker; at < whole.size() - 1; ++at) {
    CAPTURE(at);
    ConsoleScanner scanner;
    const auto found = scanner.feed(whole.substr(0, at) + seam + kernel_line + "\r\n" + whole.substr(at));
    CHECK(found.digests == std::vector<Digest>{{"6f1d2c3b", 3, digest}});
    CHECK(found.lines == std::vector<std::string>{kernel_line});
    CHECK(scanner.damaged() == 0);
  }
}

TEST_CASE("scanner: a kernel line inside a record is given before the record ends", "[shared][console]") {
  ConsoleScanner scanner;
  const auto found = scanner.feed(record().substr(0, 30) + "[    9.000000] Kernel panic - not syncing: oh\n");
  CHECK(found.lines == std::vector<std::string>{"[    9.000000] Kernel panic - not syncing: oh"});
}

TEST_CASE("scanner: one changed byte damages a record, and it is counted and kept as text", "[shared][console]") {
  const auto whole = record();
  for (std::size_t at = whole.find("V1 ") + 3; at < whole.size() - 2; ++at) {
    auto broken = whole;
    broken[at] = broken[at] == 'x' ? 'y' : 'x';
    CAPTURE(broken);
    ConsoleScanner scanner;
    auto found = scanner.feed(broken + "next\n");
    const auto rest = scanner.finish();
    CHECK(found.digests.empty());
    CHECK(scanner.damaged() == 1);
    CHECK(found.lines.size() + rest.lines.size() == 2);
  }
}

TEST_CASE("scanner: more than sixteen kernel lines in one record are too many", "[shared][console]") {
  const auto whole = record();
  std::string burst;
  for (int i = 0; i < 17; ++i) burst += kernel_line + "\n";
  ConsoleScanner scanner;
  auto found = scanner.feed(whole.substr(0, 30) + burst + whole.substr(30));
  CHECK(found.digests.empty());
  CHECK(scanner.damaged() == 1);
  CHECK(std::count(found.lines.begin(), found.lines.end(), kernel_line) >= 16);
}

TEST_CASE("scanner: a line without end is cut at 4 KiB", "[shared][console]") {
  ConsoleScanner scanner;
  const auto found = scanner.feed(std::string(10'000, 'x'));
  CHECK(found.lines == std::vector<std::string>{std::string(4096, 'x'), std::string(4096, 'x')});
  CHECK(scanner.finish().lines == std::vector<std::string>{std::string(10'000 - 8192, 'x')});
}

TEST_CASE("scanner: an escape sequence without end does not swallow the next line", "[shared][console]") {
  const std::string open = GENERATE(as<std::string>(), "\x1b", "\x1b[1;", "\x1b]0;title", "\x1b]0;title\x1b", "\x1b(");
  ConsoleScanner scanner;
  CHECK(scanner.feed(open + "\nKernel panic\n").lines == std::vector<std::string>{"Kernel panic"});
}

TEST_CASE("scanner: empty lines and bare time stamps say nothing", "[shared][console]") {
  ConsoleScanner scanner;
  CHECK(scanner.feed("\n\r\n  \n[    1.000000] \n[    1.000000][    C0]\na\n").lines == std::vector<std::string>{"a"});
}

TEST_CASE("scanner: bytes that are no text stay as they are", "[shared][console]") {
  ConsoleScanner scanner;
  CHECK(scanner.feed("\xff\xfe\x01\n").lines == std::vector<std::string>{"\xff\xfe\x01"});
}

TEST_CASE("scanner: unfinished digests are bounded, and the lost ones counted", "[shared][console]") {
  ConsoleScanner scanner;
  for (Seq seq = 1; seq <= 1000; ++seq) scanner.feed(make_records(scanned_boot, seq, std::string(200, 'x')).at(0));
  CHECK(scanner.damaged() == 936);
  scanner.finish();
  CHECK(scanner.damaged() == 1000);
}

TEST_CASE("scanner: a well-formed record with senseless numbers is text", "[shared][console]") {
  // Checksums are right; piece 0, piece 2 of 1, nine pieces, a boot id of seven digits, a number of more than 53 bits.
  const std::string senseless = GENERATE(as<std::string>(), "V1 6f1d2c3b 1 0/1 e30", "V1 6f1d2c3b 1 2/1 e30", "V1 6f1d2c3b 1 1/9 e30",
                                         "V1 6f1d2c3 1 1/1 e30", "V1 6f1d2c3b 123456789abcdef 1/1 e30", "V1 6f1d2c3b 1 1/1 ");
  char checksum[9];
  std::snprintf(checksum, sizeof checksum, "%08x", crc32c(senseless));
  ConsoleScanner scanner;
  const auto found = scanner.feed("@" + senseless + " " + checksum + "@\n");
  CHECK(found.digests.empty());
  CHECK(scanner.damaged() == 1);
}

}  // namespace vigil::console
