// The JSON inside a console record: short, and from anyone who can write to the console.
#include "shared/protocol/codec.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto body = vigil::protocol::decode_digest({reinterpret_cast<const char*>(data), size});
  if (body.has_error()) return 0;
  const auto text = vigil::protocol::encode_digest(*body);
  vigil::fuzz::require(text.size() <= vigil::protocol::max_digest_bytes, "a digest fits into its records");
  if (text.empty()) return 0;
  const auto again = vigil::protocol::decode_digest(text);
  vigil::fuzz::require(again.has_value(), "what was encoded decodes");
  vigil::fuzz::require(vigil::protocol::report_type(*again) == vigil::protocol::report_type(*body), "the type survives");
  return 0;
}
