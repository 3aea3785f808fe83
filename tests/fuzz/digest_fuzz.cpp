// The JSON inside a console record: short, and from anyone who can write to the console.
#include "shared/protocol/codec.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto body = vigil::protocol::decode_digest({reinterpret_cast<const char*>(data), size});
  if (body.has_error()) return 0;
  // A digest of a type, stage or state that this build does not know is kept as text; nobody makes a digest of it again.
  if (std::holds_alternative<vigil::protocol::OtherReport>(*body)) return 0;
  const auto again = vigil::protocol::decode_digest(vigil::protocol::encode_digest(*body));
  vigil::fuzz::require(again.has_value(), "what was encoded decodes");
  vigil::fuzz::require(vigil::protocol::report_type(*again) == vigil::protocol::report_type(*body), "the type survives");
  return 0;
}
