// Does a credential file fit its provider: asked by the guest before it reports one, and by the host before it stores one.
//
// Shape:  pure; the bytes are parsed with limits and appear in nothing that is given back. Names of fields are told, values never.
// Errors: a CredentialProblem, with one fault; why_not() makes a sentence of it.
#pragma once

#include "shared/signin/provider.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vigil::signin {

struct CredentialFacts {
  std::string schema;                  // of the row
  std::size_t bytes = 0;
  std::string sha256;                  // lower-case hex
  friend bool operator==(const CredentialFacts&, const CredentialFacts&) = default;
};

enum class CredentialFault { empty, truncated, oversized, not_json, other_provider, missing_fields };

struct CredentialProblem {
  CredentialFault fault = CredentialFault::not_json;
  std::vector<std::string> missing;    // "tokens.access_token", also of a wrong kind
  std::vector<std::string> seen;       // names of the members that are there, at most 16 of at most 40 characters
  std::optional<Provider> looks_like;  // other_provider
  std::size_t bytes = 0;
  friend bool operator==(const CredentialProblem&, const CredentialProblem&) = default;
};

using CredentialCheck = std::variant<CredentialFacts, CredentialProblem>;

CredentialCheck check_credential(Provider provider, std::string_view bytes);

/// "lacks tokens.access_token; has tokens, last_refresh"
std::string why_not(const CredentialProblem& problem);

/// When what is good until then must be refreshed, in milliseconds of wall time, where the file says so.
std::optional<std::int64_t> expiry_unix_ms(Provider provider, std::string_view bytes);

}  // namespace vigil::signin

namespace vigil {
template <>
inline constexpr auto enum_table<signin::CredentialFault> =
    make_enum_table<signin::CredentialFault>({{signin::CredentialFault::empty, "empty"},
                                              {signin::CredentialFault::truncated, "truncated"},
                                              {signin::CredentialFault::oversized, "oversized"},
                                              {signin::CredentialFault::not_json, "not_json"},
                                              {signin::CredentialFault::other_provider, "other_provider"},
                                              {signin::CredentialFault::missing_fields, "missing_fields"}});
}  // namespace vigil
