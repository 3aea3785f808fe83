// The table of coding CLIs: how each is started, what it asks, how its sign-in address looks, where its credential lies.
//
// Shape:  one row a provider, constant data. Paths are relative to the user's home directory; command and check are argv, the program looked for in PATH.
// Errors: parse_enum<Provider> gives nullopt for a provider that this build does not know.
#pragma once

#include "shared/base/enum_names.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::signin {

enum class Provider { claude_code, codex, gemini_cli };

/// A screen that waits for a key: when every text of `shows` is on it and none of `not_with`, `keys` are typed, at most `times` in one sign-in.
struct ScreenAnswer {
  std::string_view name;  // for the log and the report
  std::span<const std::string_view> shows{};
  std::span<const std::string_view> not_with{};
  std::string_view keys{};
  std::uint8_t times = 1;
};

/// A sign-in address: https, exactly this host, a path that begins so, every one of these query parameters.
struct UrlRule {
  std::string_view host, path_prefix;
  std::span<const std::string_view> parameters{};
};

enum class FieldKind { text, number, object, list };

/// A member of the credential file, "tokens.access_token". What is required makes the shape; a text that is required is not empty.
struct CredentialField {
  std::string_view path;
  FieldKind kind = FieldKind::text;
};

struct EnvironmentVariable {
  std::string_view name, value;
};

struct ProviderRow {
  Provider provider{};
  std::string_view title;  // "Claude Code"
  std::span<const std::string_view> command{};  // the sign-in
  std::span<const std::string_view> version{};  // prints its version
  /// Cheap, without a prompt: ends with 0, and with none of check_refusals in its output, when the stored credential is taken.
  std::span<const std::string_view> check{};
  std::span<const std::string_view> check_refusals{};
  std::span<const EnvironmentVariable> use_environment{};  // for the check and for prompts: the image has it in /etc/environment
  std::span<const std::string_view> known_versions{};  // of which a transcript is kept
  std::span<const EnvironmentVariable> environment{};
  std::span<const ScreenAnswer> answers{};
  std::span<const UrlRule> urls{};
  std::uint16_t callback_port = 0;  // on 127.0.0.1; 0: the CLI chooses one
  std::uint32_t address_s = 20;  // how long it may take to show its address, on a machine of its own speed
  std::uint32_t patience_s = 0;  // how long the CLI itself waits for the user; 0: as long as it lives
  std::string_view callback_path;  // "/auth/callback"
  std::span<const std::string_view> signed_in_texts{};  // any of them on the screen: the CLI has what it needs
  std::string_view credential_path;  // ".codex/auth.json"
  std::string_view schema;  // its name: "codex/1"
  std::span<const CredentialField> fields{};
  std::string_view expiry_field{};  // milliseconds of wall time; empty: the file does not say
  std::uint32_t max_credential_bytes = 64 * 1024;
  std::uint32_t deliver_mode = 0600;  // into the CLI VM, at credential_path of its user
};

std::span<const ProviderRow> provider_table();
const ProviderRow& provider_row(Provider provider);

inline constexpr std::size_t max_url_bytes = 4096;

/// Whether `url` is a sign-in address of this provider: whole, printable ASCII, within max_url_bytes.
bool is_sign_in_url(const ProviderRow& row, std::string_view url);

/// Of an address that is none, but looks as if it were meant to be one: in which way its form differs from the table's, by names alone, nothing of its values.
/// nullopt: it is one, or looks like any other address.
std::optional<std::string> address_difference(const ProviderRow& row, std::string_view url);

}  // namespace vigil::signin

namespace vigil {
template <>
inline constexpr auto enum_table<signin::Provider> = make_enum_table<signin::Provider>(
    {{signin::Provider::claude_code, "claude_code"}, {signin::Provider::codex, "codex"}, {signin::Provider::gemini_cli, "gemini_cli"}});
template <>
inline constexpr auto enum_table<signin::FieldKind> = make_enum_table<signin::FieldKind>({{signin::FieldKind::text, "text"},
                                                                                          {signin::FieldKind::number, "number"},
                                                                                          {signin::FieldKind::object, "object"},
                                                                                          {signin::FieldKind::list, "list"}});
}  // namespace vigil
