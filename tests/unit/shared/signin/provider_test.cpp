#include "shared/signin/provider.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>

namespace vigil::signin {

TEST_CASE("provider table: every row is whole", "[shared][signin]") {
  CHECK(provider_table().size() == enum_table<Provider>.size());
  for (const auto& row : provider_table()) {
    CAPTURE(row.title);
    CHECK(&provider_row(row.provider) == &row);
    CHECK(!row.command.empty());
    CHECK(!row.version.empty());
    CHECK(!row.check.empty());
    CHECK(!row.urls.empty());
    CHECK(!row.fields.empty());
    CHECK(row.deliver_mode == 0600);
    CHECK(row.credential_path.starts_with('.'));
    CHECK(row.credential_path.find("..") == std::string_view::npos);
    for (const auto& answer : row.answers) CHECK(!answer.shows.empty());   // without a text it would fit every screen
  }
}

TEST_CASE("provider table: a sign-in address is recognised by host, path and parameters, whole", "[shared][signin]") {
  const auto& row = provider_row(Provider::codex);
  const std::string query =
      "?response_type=code&client_id=app&redirect_uri=http%3A%2F%2Flocalhost%3A1455%2Fauth%2Fcallback&code_challenge=x&state=y";
  CHECK(is_sign_in_url(row, "https://auth.openai.com/oauth/authorize" + query));
  CHECK_FALSE(is_sign_in_url(row, "http://auth.openai.com/oauth/authorize" + query));
  CHECK_FALSE(is_sign_in_url(row, "https://auth.openai.com.evil.example/oauth/authorize" + query));
  CHECK_FALSE(is_sign_in_url(row, "https://auth.openai.com@evil.example/oauth/authorize" + query));
  CHECK_FALSE(is_sign_in_url(row, "https://auth.openai.com:444/oauth/authorize" + query));
  CHECK_FALSE(is_sign_in_url(row, "https://auth.openai.com/docs" + query));
  CHECK_FALSE(is_sign_in_url(row, "https://auth.openai.com/oauth/authorize" + query.substr(0, query.find("&state"))));
  CHECK_FALSE(is_sign_in_url(row, "https://auth.openai.com/oauth/authorize" + query + " x"));
  CHECK_FALSE(is_sign_in_url(row, "https://auth.openai.com/oauth/authorize" + query + "\x1b[0m"));
  CHECK_FALSE(is_sign_in_url(row, "https://auth.openai.com/oauth/authorize#" + query));
  CHECK_FALSE(is_sign_in_url(row, "https://auth.openai.com/oauth/authorize" + query + std::string(5000, 'x')));
  CHECK_FALSE(is_sign_in_url(provider_row(Provider::gemini_cli), "https://auth.openai.com/oauth/authorize" + query));
}

}  // namespace vigil::signin
