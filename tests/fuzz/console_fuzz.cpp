// The first byte says how the rest is cut into reads. The same lines and digests must come out as from one read, and a record that is
// printed on a line of its own after whatever came before is found.
#include "shared/console/record.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <utility>

namespace {

using vigil::console::ConsoleScanner;

struct Outcome {
  ConsoleScanner::Found found;
  std::uint64_t damaged = 0;
};

void append(ConsoleScanner::Found& all, ConsoleScanner::Found&& more) {
  std::move(more.digests.begin(), more.digests.end(), std::back_inserter(all.digests));
  std::move(more.lines.begin(), more.lines.end(), std::back_inserter(all.lines));
}

Outcome scan(std::string_view bytes, std::size_t step) {
  ConsoleScanner scanner;
  Outcome outcome;
  while (!bytes.empty()) {
    const auto cut = bytes.substr(0, step);
    bytes.remove_prefix(cut.size());
    append(outcome.found, scanner.feed(cut));
  }
  append(outcome.found, scanner.finish());
  outcome.damaged = scanner.damaged();
  // 4 KiB, and a marker that turned out to be text.
  for (const auto& line : outcome.found.lines) vigil::fuzz::require(line.size() <= 4096 + 8, "a line is bounded");
  return outcome;
}

void find_a_record_behind(std::string_view bytes) {
  const vigil::BootId boot("fedcba98-7654-3210-fedc-ba9876543210");
  const std::string_view digest = R"({"t":"stage","s":"ready"})";
  ConsoleScanner scanner;
  scanner.feed(bytes);
  // A record may be open and swallow the first of these as its end, and an escape sequence may be; the third stands free.
  std::size_t found = 0;
  for (vigil::Seq seq = 1; seq <= 3; ++seq)
    for (const auto& record : vigil::console::make_records(boot, seq, digest))
      for (const auto& one : scanner.feed(record).digests) found += one.json == digest ? 1 : 0;
  vigil::fuzz::require(found > 0, "a whole record is found whatever came before");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto whole = scan(bytes, size);
  const auto cut = scan(bytes, std::size_t{1} + data[0] % 64);
  vigil::fuzz::require(whole.found.digests == cut.found.digests, "cutting changes no digest");
  vigil::fuzz::require(whole.found.lines == cut.found.lines, "cutting changes no line");
  vigil::fuzz::require(whole.damaged == cut.damaged, "cutting changes no count");
  find_a_record_behind(bytes);
  return 0;
}
