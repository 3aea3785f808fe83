// What a hostile end may say on a stream: chunks cut anywhere give the same as whole ones; openings, answers and control messages that decode come back from their encoding.
#include "shared/streams/chunk.hpp"
#include "shared/streams/control.hpp"
#include "shared/streams/opening.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace {

using namespace vigil;
using namespace vigil::streams;

struct Outcome {
  std::vector<Chunk> chunks;
  bool failed = false;
  bool operator==(const Outcome&) const = default;
};

Outcome chunks_of(std::string_view bytes, std::size_t step) {
  ChunkReader reader;
  Outcome outcome;
  while (!bytes.empty() && !outcome.failed) {
    const auto cut = bytes.substr(0, step);
    bytes.remove_prefix(cut.size());
    reader.feed(cut);
    for (;;) {
      auto chunk = reader.next();
      outcome.failed = chunk.has_error();
      if (outcome.failed || !*chunk) break;
      fuzz::require((*chunk)->bytes.size() <= max_chunk_bytes, "a chunk is within the limit");
      outcome.chunks.push_back(std::move(**chunk));
    }
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  fuzz::require(chunks_of(bytes, size) == chunks_of(bytes, std::size_t{1} + data[0] % 64), "cutting changes nothing");
  if (const auto opening = decode_opening(bytes)) fuzz::require(*decode_opening(encode(*opening)) == *opening, "an opening comes back");
  if (const auto control = decode_control(bytes)) fuzz::require(*decode_control(encode(*control)) == *control, "a control message comes back");
  if (const auto answer = decode_answer(bytes)) fuzz::require(decode_answer(encode_answer(*answer)).has_value(), "an answer comes back");
  return 0;
}
