#include "shared/signin/provider.hpp"

#include <algorithm>
#include <cstdlib>

namespace vigil::signin {

namespace {

using Words = std::string_view[];

// Claude Code listens on a port of its own choice. It opens the whole address in the browser, and shows a short one, of another host, for who has none.
constexpr Words claude_command = {"claude", "auth", "login"};
constexpr Words claude_version = {"claude", "--version"};
constexpr Words claude_check = {"claude", "auth", "status"};
constexpr Words claude_known = {"2.1.332"};
constexpr Words oauth_parameters = {"client_id", "response_type", "redirect_uri", "state", "code_challenge"};
constexpr Words plain_oauth_parameters = {"client_id", "response_type", "redirect_uri", "state"};  // without PKCE
constexpr UrlRule claude_urls[] = {{"claude.com", "/cai/oauth/authorize", oauth_parameters},
                                   {"platform.claude.com", "/oauth/authorize", oauth_parameters},
                                   {"claude.ai", "/oauth/authorize", {}}};
constexpr EnvironmentVariable claude_environment[] = {{"DISABLE_AUTOUPDATER", "1"}};
constexpr Words claude_signed_in = {"Login successful"};
constexpr CredentialField claude_fields[] = {{"claudeAiOauth", FieldKind::object},
                                             {"claudeAiOauth.accessToken", FieldKind::text},
                                             {"claudeAiOauth.refreshToken", FieldKind::text},
                                             {"claudeAiOauth.expiresAt", FieldKind::number},
                                             {"claudeAiOauth.scopes", FieldKind::list}};

constexpr Words codex_command = {"codex", "login"};
constexpr Words codex_version = {"codex", "--version"};
constexpr Words codex_check = {"codex", "login", "status"};
constexpr Words codex_known = {"0.171.0"};
constexpr UrlRule codex_urls[] = {{"auth.openai.com", "/oauth/authorize", oauth_parameters}};
constexpr Words codex_signed_in = {"Successfully logged in"};
constexpr CredentialField codex_fields[] = {{"tokens", FieldKind::object},
                                            {"tokens.id_token", FieldKind::text},
                                            {"tokens.access_token", FieldKind::text},
                                            {"tokens.refresh_token", FieldKind::text},
                                            {"last_refresh", FieldKind::text}};

// Gemini CLI has no command for it: without a credential it asks, when it starts, how to sign in, and once more before it opens a browser.
constexpr Words gemini_command = {"gemini"};
constexpr Words gemini_version = {"gemini", "--version"};
constexpr Words gemini_check = {"gemini", "--list-sessions"};
constexpr Words gemini_refusals = {"Error authenticating", "Please set an Auth method"};  // it ends with 0 all the same
constexpr EnvironmentVariable gemini_use[] = {{"GOOGLE_GENAI_USE_GCA", "true"}, {"GEMINI_CLI_TRUST_WORKSPACE", "true"}};
constexpr Words gemini_known = {"0.61.0"};
// The user's own, empty home; else it asks. And how to sign in is its question, not the image's.
constexpr EnvironmentVariable gemini_environment[] = {{"GEMINI_CLI_TRUST_WORKSPACE", "true"}, {"GOOGLE_GENAI_USE_GCA", ""}};
constexpr Words gemini_how = {"How would you like to authenticate", "\u25cf 1. Sign in with Google"};
constexpr Words gemini_consent = {"Opening authentication page in your browser", "Do you want to continue?", "\u25cf 1. Yes"};
constexpr ScreenAnswer gemini_answers[] = {{.name = "how to authenticate: sign in with Google", .shows = gemini_how, .keys = "\r"},
                                           {.name = "consent to open a browser", .shows = gemini_consent, .keys = "\r"}};
constexpr UrlRule gemini_urls[] = {{"accounts.google.com", "/o/oauth2/", plain_oauth_parameters}};
constexpr CredentialField gemini_fields[] = {{"access_token", FieldKind::text},
                                             {"refresh_token", FieldKind::text},
                                             {"token_type", FieldKind::text},
                                             {"expiry_date", FieldKind::number}};

constexpr ProviderRow rows[] = {
    {.provider = Provider::claude_code,
     .title = "Claude Code",
     .command = claude_command,
     .version = claude_version,
     .check = claude_check,
     .known_versions = claude_known,
     .environment = claude_environment,
     .urls = claude_urls,
     .callback_path = "/callback",
     .signed_in_texts = claude_signed_in,
     .credential_path = ".claude/.credentials.json",
     .schema = "claude_code/1",
     .fields = claude_fields,
     .expiry_field = "claudeAiOauth.expiresAt"},
    {.provider = Provider::codex,
     .title = "Codex",
     .command = codex_command,
     .version = codex_version,
     .check = codex_check,
     .known_versions = codex_known,
     .urls = codex_urls,
     .callback_port = 1455,
     .callback_path = "/auth/callback",
     .signed_in_texts = codex_signed_in,
     .credential_path = ".codex/auth.json",
     .schema = "codex/1",
     .fields = codex_fields},
    {.provider = Provider::gemini_cli,
     .title = "Gemini CLI",
     .command = gemini_command,
     .version = gemini_version,
     .check = gemini_check,
     .check_refusals = gemini_refusals,
     .use_environment = gemini_use,
     .known_versions = gemini_known,
     .environment = gemini_environment,
     .answers = gemini_answers,
     .urls = gemini_urls,
     .address_s = 60,  // it starts itself anew after each answer, seconds of a processor each time
     .patience_s = 300,
     .callback_path = "/oauth2callback",
     .credential_path = ".gemini/oauth_creds.json",
     .schema = "gemini_cli/1",
     .fields = gemini_fields,
     .expiry_field = "expiry_date"},
};

bool is_url_character(char c) {
  constexpr std::string_view others = "-._~:/?#[]@!$&'()*+,;=%";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || others.find(c) != std::string_view::npos;
}

bool has_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.size() > name.size() + 1 && pair.starts_with(name) && pair[name.size()] == '=') return true;
  }
  return false;
}

struct Address {
  std::string_view host, path, query;
};

std::optional<Address> take_apart(std::string_view url) {
  constexpr std::string_view scheme = "https://";
  if (url.size() > max_url_bytes || !url.starts_with(scheme) || !std::all_of(url.begin(), url.end(), is_url_character)) return std::nullopt;
  const auto rest = url.substr(scheme.size());
  Address address;
  address.host = rest.substr(0, rest.find_first_of("/?#"));  // with a port or user information it is no host of the table
  const auto target = rest.substr(address.host.size());
  address.path = target.substr(0, target.find_first_of("?#"));
  address.query = target.substr(address.path.size());
  address.query = address.query.substr(0, address.query.find('#'));
  if (!address.query.empty()) address.query.remove_prefix(1);
  return address;
}

bool fits(const UrlRule& rule, const Address& address) {
  return address.host == rule.host && address.path.starts_with(rule.path_prefix) &&
         std::all_of(rule.parameters.begin(), rule.parameters.end(),
                     [&](std::string_view name) { return has_parameter(address.query, name); });
}

/// Without what might stand before an @ in it.
std::string shown_host(std::string_view host) {
  constexpr std::size_t max_shown = 64;
  host.remove_prefix(host.rfind('@') + 1);
  return std::string(host.substr(0, max_shown));
}

}  // namespace

std::span<const ProviderRow> provider_table() { return rows; }

const ProviderRow& provider_row(Provider provider) {
  for (const auto& row : rows)
    if (row.provider == provider) return row;
  std::abort();  // a value outside its enum: memory is corrupt
}

bool is_sign_in_url(const ProviderRow& row, std::string_view url) {
  const auto address = take_apart(url);
  return address && std::any_of(row.urls.begin(), row.urls.end(), [&](const UrlRule& rule) { return fits(rule, *address); });
}

std::optional<std::string> address_difference(const ProviderRow& row, std::string_view url) {
  const auto address = take_apart(url);
  if (!address || is_sign_in_url(row, url)) return std::nullopt;
  const bool asks_for_a_grant = has_parameter(address->query, "client_id") && has_parameter(address->query, "redirect_uri");
  for (const auto& rule : row.urls) {
    if (rule.host != address->host) continue;
    if (!address->path.starts_with(rule.path_prefix)) continue;
    std::string missing;
    for (const auto name : rule.parameters)
      if (!has_parameter(address->query, name)) missing += (missing.empty() ? "" : ", ") + std::string(name);
    return shown_host(address->host) + " without " + missing;
  }
  if (!asks_for_a_grant) return std::nullopt;
  const bool is_host_known = std::any_of(row.urls.begin(), row.urls.end(), [&](const UrlRule& rule) { return rule.host == address->host; });
  return is_host_known ? shown_host(address->host) + " with another path" : "another host, " + shown_host(address->host);
}

}  // namespace vigil::signin
