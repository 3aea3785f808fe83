// What a power cut, a full disk or a hostile root may leave in the journal: reading ends, stays within its limits, and whole records come back.
#include "guest/journal/record.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil;
  using namespace vigil::guest;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto contents = journal::read_journal(bytes);
  fuzz::require(contents.good + contents.torn == size, "every byte is accounted for");
  fuzz::require(contents.crashes.size() + contents.refused <= journal::max_records, "records are bounded");
  std::string again;
  for (const auto& crash : contents.crashes) again += journal::encode_record(crash);
  const auto second = journal::read_journal(again);
  fuzz::require(second.torn == 0 && second.refused == 0 && second.crashes == contents.crashes,
                "what was read comes back from its encoding");
  fuzz::require(journal::read_journal(again + std::string(bytes.substr(0, size / 2))).crashes.size() >= contents.crashes.size(),
                "a torn tail costs nothing before it");

  // The checksum stands between the fuzzer and the payload: give it the payload as well.
  protocol::Report made{BootId("01234567-89ab-cdef-0123-456789abcdef"), 0, 1, 0, protocol::CrashReport{}};
  std::get<protocol::CrashReport>(made.body).stderr_tail = std::string(bytes.substr(0, 64 * 1024));
  const auto record = journal::encode_record(made);
  fuzz::require(journal::read_journal(record).crashes.size() == 1, "a record of ours is read");
  fuzz::require(journal::read_journal(std::string_view(record).substr(0, record.size() - 1)).crashes.empty(), "a cut one is not");
  return 0;
}
