// The state that an agent finds where the build before it should have left one: reading ends, names only descriptors that can be, and what was read comes back.
#include "guest/upgrade/codec.hpp"
#include "shared/base/encoding.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace vigil;
using namespace vigil::guest;

constexpr std::size_t sealed_words_at = 16, head_bytes = 32;  // length and checksum, behind magic and version

void check(std::string_view bytes) {
  const auto found = upgrade::decode(bytes);
  if (!found) return;
  fuzz::require(found->descriptors.size() <= bytes.size() / 8, "no more descriptors than words");
  for (const int fd : found->descriptors) fuzz::require(fd >= 0, "a descriptor is a number");
  const auto again = upgrade::encode(found->kept);
  const auto second = upgrade::decode(again.bytes);
  fuzz::require(second.has_value() && second->kept == found->kept, "what was read comes back from its encoding");
  fuzz::require(again.descriptors.size() == second->descriptors.size(), "with its descriptors");
}

/// The checksum stands between the fuzzer and the records: `body` behind a head that fits.
std::string seal(std::string_view body) {
  std::string bytes = upgrade::encode({}).bytes.substr(0, head_bytes);
  const std::uint64_t words[] = {body.size(), crc32c(body)};
  for (std::size_t word = 0; word < 2; ++word)
    for (std::size_t n = 0; n < 8; ++n) bytes[sealed_words_at + word * 8 + n] = static_cast<char>((words[word] >> (8 * n)) & 0xff);
  return bytes + std::string(body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(bytes);
  const std::string_view body = bytes.substr(bytes.starts_with("vigilup1") && size >= head_bytes ? head_bytes : 0);
  check(seal(body));
  check(seal(body.substr(0, body.size() / 2)));
  return 0;
}
