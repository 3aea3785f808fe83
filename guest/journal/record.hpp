// The journal's file: records one after another, each a crash report as it travels on the link.
//
// Shape:  "VCJ1", u32 LE length, u32 LE crc32c of the payload, payload. The reader takes records from the start up to the first that is cut short or wrong: a record is written and
//         synced before the next one is, so only the last can be torn.
// Units:  bytes. Errors: none; what cannot be read is counted in `torn`.
#pragma once

#include "shared/protocol/report.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::journal {

inline constexpr std::size_t max_records = 32, max_journal_bytes = 8 << 20;

std::string encode_record(const protocol::Report& crash);

struct Contents {
  std::vector<protocol::Report> crashes;  // in the order in which they were written
  std::size_t good = 0;  // bytes of whole records
  std::size_t torn = 0;  // bytes after them
  std::size_t refused = 0;  // whole records that are no crash report of this format
};

Contents read_journal(std::string_view bytes);

}  // namespace vigil::guest::journal
