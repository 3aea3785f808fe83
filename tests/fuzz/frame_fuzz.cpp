// The first byte says how the rest is cut into reads. The same frames must come out as from one read.
#include "shared/framing/frame.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using vigil::framing::FrameReader;

constexpr std::uint32_t max_bytes = 4096;   // small, so that a length over the limit is easily found

struct Outcome {
  std::vector<std::string> frames;
  bool failed = false;
  bool operator==(const Outcome&) const = default;
};

Outcome read_all(std::string_view bytes, std::size_t step) {
  FrameReader reader(max_bytes);
  Outcome outcome;
  while (!bytes.empty() && !outcome.failed) {
    const auto cut = bytes.substr(0, step);
    bytes.remove_prefix(cut.size());
    reader.feed(cut);
    for (;;) {
      auto frame = reader.next();
      outcome.failed = frame.has_error();
      if (outcome.failed || !frame->has_value()) break;
      vigil::fuzz::require((*frame)->size() <= max_bytes, "a frame is within the limit");
      outcome.frames.push_back(std::move(**frame));
    }
    vigil::fuzz::require(outcome.failed || reader.buffered() < max_bytes + 4 + step, "the reader holds less than one frame");
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto whole = read_all(bytes, size);
  vigil::fuzz::require(whole == read_all(bytes, std::size_t{1} + data[0] % 64), "cutting changes nothing");

  std::string again;
  for (const auto& frame : whole.frames) again += vigil::framing::make_frame(frame);
  vigil::fuzz::require(bytes.starts_with(again), "frames are what the bytes said");
  return 0;
}
