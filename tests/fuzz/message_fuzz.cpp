// Whatever decodes can be encoded again, and says the same then.
#include "shared/protocol/codec.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = vigil::protocol::decode({reinterpret_cast<const char*>(data), size});
  if (message.has_error()) return 0;
  const auto text = vigil::protocol::encode(*message);
  vigil::fuzz::require(text.size() <= vigil::protocol::max_message_bytes, "an encoded message fits into a frame");
  const auto again = vigil::protocol::decode(text);
  vigil::fuzz::require(again.has_value(), "what was encoded decodes");
  vigil::fuzz::require(vigil::protocol::encode(*again) == text, "encoding twice gives the same text");
  return 0;
}
