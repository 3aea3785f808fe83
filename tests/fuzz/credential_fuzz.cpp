// A hostile credential file: it fits one provider at most, and no value of it is in what is said about it.
#include "shared/signin/credential.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const auto& row : signin::provider_table()) {
    const auto checked = signin::check_credential(row.provider, bytes);
    if (const auto* problem = std::get_if<signin::CredentialProblem>(&checked)) {
      fuzz::require(problem->seen.size() <= 16, "names are bounded");
      fuzz::require(signin::why_not(*problem).size() < 4096, "a sentence is bounded");
    } else {
      fuzz::require(std::get<signin::CredentialFacts>(checked).bytes == size && size <= row.max_credential_bytes,
                    "what fits is within its limit");
    }
    signin::expiry_unix_ms(row.provider, bytes);
  }
  return 0;
}
