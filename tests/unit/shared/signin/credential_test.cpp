#include "shared/signin/credential.hpp"
#include "shared/signin/sha256.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace vigil::signin {

namespace {

/// Complete, with values that no message may show.
std::string credential_of(Provider provider) {
  switch (provider) {
    case Provider::claude_code:
      return R"({"claudeAiOauth":{"accessToken":"SECRET-a","refreshToken":"SECRET-r","expiresAt":1700000000123,"scopes":["user:inference"],"subscriptionType":"max"}})";
    case Provider::codex:
      return R"({"OPENAI_API_KEY":null,"tokens":{"id_token":"SECRET-i","access_token":"SECRET-a","refresh_token":"SECRET-r","account_id":"SECRET-n"},"last_refresh":"2026-01-01T00:00:00Z"})";
    case Provider::gemini_cli:
      return R"({"access_token":"SECRET-a","refresh_token":"SECRET-r","scope":"openid","token_type":"Bearer","id_token":"SECRET-i","expiry_date":1700000000123})";
  }
  return "";
}

CredentialProblem problem_of(Provider provider, std::string_view bytes) {
  const auto checked = check_credential(provider, bytes);
  REQUIRE(std::holds_alternative<CredentialProblem>(checked));
  const auto problem = std::get<CredentialProblem>(checked);
  CHECK(why_not(problem).find("SECRET") == std::string::npos);
  return problem;
}

}  // namespace

TEST_CASE("credential: what fits its provider gives schema, size and hash", "[shared][signin]") {
  for (const auto& row : provider_table()) {
    const auto bytes = credential_of(row.provider);
    CHECK(std::get<CredentialFacts>(check_credential(row.provider, bytes)) ==
          CredentialFacts{std::string(row.schema), bytes.size(), sha256_hex(bytes)});
  }
}

TEST_CASE("credential: cut at any byte it is refused", "[shared][signin]") {
  for (const auto& row : provider_table()) {
    const auto bytes = credential_of(row.provider);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      const auto fault = problem_of(row.provider, std::string_view(bytes).substr(0, length)).fault;
      CHECK((fault == CredentialFault::truncated || fault == CredentialFault::not_json || fault == CredentialFault::empty));
    }
  }
  CHECK(problem_of(Provider::codex, R"({"tokens":)").fault == CredentialFault::truncated);
}

TEST_CASE("credential: one of another provider is named as that", "[shared][signin]") {
  for (const auto& wanted : provider_table())
    for (const auto& given : provider_table()) {
      if (wanted.provider == given.provider) continue;
      const auto problem = problem_of(wanted.provider, credential_of(given.provider));
      CHECK(problem.fault == CredentialFault::other_provider);
      CHECK(problem.looks_like == given.provider);
    }
}

TEST_CASE("credential: missing fields are named, and those that are there", "[shared][signin]") {
  const auto problem =
      problem_of(Provider::codex, R"({"tokens":{"access_token":"SECRET","refresh_token":""},"last_refresh":7,"SECRET with blanks":1})");
  CHECK(problem.fault == CredentialFault::missing_fields);
  CHECK(problem.missing == std::vector<std::string>{"tokens.id_token", "tokens.refresh_token", "last_refresh"});
  CHECK(why_not(problem) ==
        "lacks tokens.id_token, tokens.refresh_token, last_refresh; has last_refresh, tokens, tokens.access_token, tokens.refresh_token");
}

TEST_CASE("credential: neither JSON nor of a bearable size", "[shared][signin]") {
  CHECK(problem_of(Provider::codex, " \n").fault == CredentialFault::empty);
  CHECK(problem_of(Provider::codex, "SECRET").fault == CredentialFault::not_json);
  CHECK(problem_of(Provider::codex, "[1]").fault == CredentialFault::not_json);
  CHECK(problem_of(Provider::codex, std::string("\x7f") + "ELF").fault == CredentialFault::not_json);
  CHECK(problem_of(Provider::codex, credential_of(Provider::codex) + std::string(65'536, ' ')).fault == CredentialFault::oversized);
  CHECK(problem_of(Provider::codex, std::string(60'000, '[')).fault == CredentialFault::not_json);
}

TEST_CASE("credential: its expiry, where it has one", "[shared][signin]") {
  CHECK(expiry_unix_ms(Provider::claude_code, credential_of(Provider::claude_code)) == 1'700'000'000'123);
  CHECK(expiry_unix_ms(Provider::gemini_cli, credential_of(Provider::gemini_cli)) == 1'700'000'000'123);
  CHECK(expiry_unix_ms(Provider::codex, credential_of(Provider::codex)) == std::nullopt);
  CHECK(expiry_unix_ms(Provider::gemini_cli, "{") == std::nullopt);
  CHECK(expiry_unix_ms(Provider::gemini_cli, R"({"expiry_date":-4})") == std::nullopt);
}

TEST_CASE("sha256: the examples of FIPS 180-4, and lengths around a block", "[shared][signin]") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(std::string(64, 'a')) == "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
  CHECK(sha256_hex(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace vigil::signin
