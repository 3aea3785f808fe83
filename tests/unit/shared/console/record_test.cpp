#include "shared/console/record.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace vigil::console {

namespace {

const BootId boot("6f1d2c3b-4a59-4687-9a8b-7c6d5e4f3a2b");

std::string joined(const std::vector<std::string>& records) {
  std::string text;
  for (const auto& record : records) text += record;
  return text;
}

}  // namespace

TEST_CASE("record: it is what the contract shows", "[shared][console]") {
  CHECK(make_records(boot, 0x2f, "{}") == std::vector<std::string>{"\n@V1 6f1d2c3b 2f 1/1 e30 4b71737d@\n"});
}

TEST_CASE("record: at most 240 printable bytes, without @ and opening bracket inside", "[shared][console]") {
  const Seq seq = GENERATE(Seq{1}, (Seq{1} << 53) - 1);
  for (const auto& record : make_records(boot, seq, std::string(max_pieces * max_piece_bytes, '\xff'))) {
    CHECK(record.size() <= max_record_bytes);
    const auto inside = record.substr(2, record.size() - 4);
    CHECK(record.starts_with("\n@"));
    CHECK(record.ends_with("@\n"));
    CHECK(inside.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/ ") == std::string::npos);
  }
}

TEST_CASE("record: a digest of any length up to eight pieces comes back", "[shared][console]") {
  const std::size_t size = GENERATE(1U, 143U, 144U, 145U, 432U, max_pieces * max_piece_bytes);
  const std::string digest(size, 'x');
  ConsoleScanner scanner;
  const auto found = scanner.feed(joined(make_records(boot, 9, digest)));
  CHECK(found.digests == std::vector<Digest>{{"6f1d2c3b", 9, digest}});
  CHECK(found.lines.empty());
}

TEST_CASE("record: there is none for nothing and for too much", "[shared][console]") {
  CHECK(make_records(boot, 1, "").empty());
  CHECK(make_records(boot, 1, std::string(max_pieces * max_piece_bytes + 1, 'x')).empty());
}

}  // namespace vigil::console
