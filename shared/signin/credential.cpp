#include "shared/signin/credential.hpp"

#include "shared/json/json.hpp"
#include "shared/signin/sha256.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace vigil::signin {

namespace {

using nlohmann::json;

constexpr std::size_t max_names = 16, max_name_bytes = 40;

const json* member_at(const json& root, std::string_view path) {
  const json* at = &root;
  while (!path.empty()) {
    const auto name = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (!at->is_object()) return nullptr;
    const auto found = at->find(std::string(name));
    if (found == at->end()) return nullptr;
    at = &*found;
  }
  return at;
}

bool has_kind(const json& value, FieldKind kind) {
  switch (kind) {
    case FieldKind::text: return value.is_string() && !value.get_ref<const std::string&>().empty();
    case FieldKind::number: return value.is_number();
    case FieldKind::object: return value.is_object();
    case FieldKind::list: return value.is_array();
  }
  return false;
}

std::vector<std::string> missing_fields(const ProviderRow& row, const json& root) {
  std::vector<std::string> missing;
  for (const auto& field : row.fields) {
    const json* const value = member_at(root, field.path);
    if (value == nullptr || !has_kind(*value, field.kind)) missing.emplace_back(field.path);
  }
  return missing;
}

/// What stands where a name is expected may be anything: only what looks like a name is told.
bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= max_name_bytes && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::vector<std::string> names_seen(const json& root) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& prefix, const json& object) {
    for (const auto& [name, value] : object.items())
      if (names.size() < max_names && is_name(name)) names.push_back(prefix + name);
  };
  add("", root);
  for (const auto& [name, value] : root.items())
    if (value.is_object() && is_name(name)) add(name + ".", value);
  return names;
}

/// Text that stops inside of what it began.
bool ends_early(std::string_view bytes) {
  const auto last = bytes.find_last_not_of(" \t\r\n");
  return last == std::string_view::npos || (bytes[last] != '}' && bytes.find_first_not_of(" \t\r\n") != std::string_view::npos &&
                                            bytes[bytes.find_first_not_of(" \t\r\n")] == '{');
}

std::optional<Provider> provider_of(const json& root) {
  for (const auto& row : provider_table())
    if (missing_fields(row, root).empty()) return row.provider;
  return std::nullopt;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

CredentialCheck check_credential(Provider provider, std::string_view bytes) {
  const auto& row = provider_row(provider);
  CredentialProblem problem;
  problem.bytes = bytes.size();
  const auto because = [&](CredentialFault fault) {
    problem.fault = fault;
    return CredentialCheck(problem);
  };
  if (bytes.find_first_not_of(" \t\r\n") == std::string_view::npos) return because(CredentialFault::empty);
  if (bytes.size() > row.max_credential_bytes) return because(CredentialFault::oversized);
  const auto root = parse_json(bytes, {.max_bytes = row.max_credential_bytes, .max_depth = 8, .max_values = 512});
  if (!root) return because(ends_early(bytes) ? CredentialFault::truncated : CredentialFault::not_json);
  if (!root->is_object()) return because(CredentialFault::not_json);
  problem.missing = missing_fields(row, *root);
  if (problem.missing.empty()) return CredentialFacts{std::string(row.schema), bytes.size(), sha256_hex(bytes)};
  problem.seen = names_seen(*root);
  problem.looks_like = provider_of(*root);
  return because(problem.looks_like ? CredentialFault::other_provider : CredentialFault::missing_fields);
}

std::string why_not(const CredentialProblem& problem) {
  switch (problem.fault) {
    case CredentialFault::empty: return "is empty";
    case CredentialFault::truncated: return "ends early, after " + std::to_string(problem.bytes) + " bytes";
    case CredentialFault::oversized: return "has " + std::to_string(problem.bytes) + " bytes, more than a credential may have";
    case CredentialFault::not_json: return "is no JSON object";
    case CredentialFault::other_provider:
      return "is one of " + std::string(to_text(*problem.looks_like)) + "; lacks " + joined(problem.missing);
    case CredentialFault::missing_fields: return "lacks " + joined(problem.missing) + "; has " + joined(problem.seen);
  }
  return "is not understood";
}

std::optional<std::int64_t> expiry_unix_ms(Provider provider, std::string_view bytes) {
  const auto& row = provider_row(provider);
  if (row.expiry_field.empty()) return std::nullopt;
  const auto root = parse_json(bytes, {.max_bytes = row.max_credential_bytes, .max_depth = 8, .max_values = 512});
  if (!root) return std::nullopt;
  const json* const value = member_at(*root, row.expiry_field);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  const json holder = {{"value", *value}};
  const auto number = read_integer(holder, "value");
  return number ? std::optional(*number) : std::nullopt;
}

}  // namespace vigil::signin
