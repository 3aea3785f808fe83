#include "guest/journal/record.hpp"

#include "crash_reports.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::guest::journal {

TEST_CASE("journal: what was written is read in order, with boot and number", "[guest][journal]") {
  const auto first = report_of(3, "web-1", earlier_boot), second = report_of(9, "web-2", earlier_boot);
  const auto contents = read_journal(encode_record(first) + encode_record(second));
  REQUIRE(contents.crashes == std::vector<protocol::Report>{first, second});
  REQUIRE(contents.torn == 0);
  REQUIRE(contents.refused == 0);
}

TEST_CASE("journal: a file that ends at any byte gives the records that are whole", "[guest][journal]") {
  const auto first = encode_record(report_of(1, "web-1")), second = encode_record(report_of(2, "web-2"));
  const auto bytes = first + second;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const auto contents = read_journal(std::string_view(bytes).substr(0, size));
    const std::size_t whole = size == bytes.size() ? 2 : size >= first.size() ? 1 : 0;
    REQUIRE(contents.crashes.size() == whole);
    REQUIRE(contents.good + contents.torn == size);
    REQUIRE((contents.torn == 0) == (size == 0 || size == first.size() || size == bytes.size()));
  }
}

TEST_CASE("journal: a byte that has changed ends what is read there", "[guest][journal]") {
  const auto first = encode_record(report_of(1, "web-1")), second = encode_record(report_of(2, "web-2"));
  for (std::size_t at = first.size(); at < first.size() + second.size(); ++at) {
    auto bytes = first + second;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
    const auto contents = read_journal(bytes);
    REQUIRE(contents.crashes.size() == 1);
    REQUIRE(contents.torn == second.size());
  }
}

TEST_CASE("journal: more records than the limit are not read", "[guest][journal]") {
  std::string bytes;
  for (Seq seq = 1; seq <= max_records + 5; ++seq) bytes += encode_record(report_of(seq, "web"));
  const auto contents = read_journal(bytes);
  REQUIRE(contents.crashes.size() == max_records);
  REQUIRE(contents.torn > 0);
}

TEST_CASE("journal: a whole record that is no crash report is left out and counted", "[guest][journal]") {
  const protocol::Report bye{this_boot, 0, 4, 0, protocol::ByeReport{}};
  const auto contents = read_journal(encode_record(bye) + encode_record(report_of(5, "web-1")));
  REQUIRE(contents.refused == 1);
  REQUIRE(contents.crashes.size() == 1);
}

}  // namespace vigil::guest::journal
