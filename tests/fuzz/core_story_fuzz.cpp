// What a core helper tells, which may have been taken over by the core that it read: messages, each after its length in two bytes.
#include "guest/evidence/core_story.hpp"
#include "shared/protocol/codec.hpp"
#include "tests/fuzz/require.hpp"

#include <algorithm>
#include <cstdint>
#include <string_view>

using namespace vigil;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  guest::evidence::CoreStory story;
  while (bytes.size() >= 2) {
    const std::size_t length = static_cast<std::uint8_t>(bytes[0]) + 256U * static_cast<std::uint8_t>(bytes[1]);
    bytes.remove_prefix(2);
    story.add(bytes.substr(0, length));
    bytes.remove_prefix(std::min(length, bytes.size()));
  }
  const auto trace = story.trace("web-1", "the time was up");
  fuzz::require(trace.frames.size() <= 64 && trace.threads.size() <= 63, "a trace keeps the limits of its report");
  fuzz::require(story.is_whole() || trace.truncated, "what has no end says so");
  const auto once = protocol::decode_body("crash_trace", protocol::encode_body(trace));
  fuzz::require(once.has_value(), "it can be sent");
  const auto again = protocol::decode_body("crash_trace", protocol::encode_body(*once));
  fuzz::require(again.has_value() && *again == *once, "and comes back as it was sent");
  if (!story.victim()) return 0;
  protocol::CrashReport report;
  report.crash = "web-1";
  report.cause = protocol::make_cause(protocol::CauseCode::unknown, {{"seen", "x"}});
  report.victim = story.victim()->facts;
  fuzz::require(protocol::decode_body("crash", protocol::encode_body(report)).has_value(), "so can the facts about the victim");
  return 0;
}
