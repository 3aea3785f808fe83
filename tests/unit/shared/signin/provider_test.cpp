#include "shared/signin/provider.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <set>
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

TEST_CASE("provider table: what a credential is used with is in the environment of the image that has the CLIs", "[shared][signin]") {
  std::ifstream file(VIGIL_CLI_ENVIRONMENT);
  std::set<std::string> lines, wanted;
  for (std::string line; std::getline(file, line);)
    if (!line.empty() && line.front() != '#') lines.insert(line);
  for (const auto& row : provider_table())
    for (const auto& variable : row.use_environment) wanted.insert(std::string(variable.name) + "=" + std::string(variable.value));
  CHECK_FALSE(wanted.empty());
  CHECK(lines == wanted);
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

TEST_CASE("provider table: how an address differs from the known forms is told by names, never by values", "[shared][signin]") {
  const auto& row = provider_row(Provider::codex);
  const std::string query = "?response_type=code&client_id=SECRET&redirect_uri=SECRET&code_challenge=SECRET&state=SECRET";
  const std::string known = "https://auth.openai.com/oauth/authorize";
  CHECK_FALSE(address_difference(row, known + query));
  CHECK(address_difference(row, known + "?response_type=code&client_id=SECRET&redirect_uri=SECRET") ==
        "auth.openai.com without state, code_challenge");
  CHECK(address_difference(row, "https://auth.openai.com/oauth2/SECRET" + query) == "auth.openai.com with another path");
  CHECK(address_difference(row, "https://SECRET@login.openai.com/oauth/authorize" + query) == "another host, login.openai.com");
  CHECK_FALSE(address_difference(row, "https://openai.com/docs"));
  CHECK_FALSE(address_difference(row, "no address"));
}

}  // namespace vigil::signin
