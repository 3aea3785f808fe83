#include "host/machine/egress_policy.hpp"

#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace vigil::machine {

namespace {

using Json = nlohmann::json;

constexpr std::size_t max_rules = 256, max_host_bytes = 253;

Error bad_egress(const std::string& where, const std::string& reason) { return Error(Errc::invalid, "egress." + where + ": " + reason); }

bool is_host_char(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'; }

std::string in_lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

bool is_address(const std::string& text) {
  in6_addr any{};
  return ::inet_pton(AF_INET, text.c_str(), &any) == 1 || ::inet_pton(AF_INET6, text.c_str(), &any) == 1;
}

std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

struct HostAndPorts {
  std::string host, ports;
};

/// "[v6]:443", "name:80,443", "name".
Result<HostAndPorts> split_rule(const std::string& where, const std::string& text) {
  HostAndPorts parts;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string::npos) return bad_egress(where, "\"" + text + "\" has no closing bracket");
    parts.host = text.substr(1, end - 1);
    if (!is_address(parts.host) || (end + 1 < text.size() && text[end + 1] != ':')) return bad_egress(where, "\"" + text + "\" is no address in brackets");
    if (end + 2 < text.size()) parts.ports = text.substr(end + 2);
  } else {
    const auto colon = text.find(':');
    parts.host = text.substr(0, colon);
    if (colon != std::string::npos) parts.ports = text.substr(colon + 1);
    const auto name = std::string_view(parts.host).substr(parts.host.starts_with("*.") ? 2 : 0);
    if (parts.host != "*" && (name.empty() || name.size() > max_host_bytes || !std::ranges::all_of(name, is_host_char)))
      return bad_egress(where, "\"" + text + "\" is not HOST or HOST:PORT,...; HOST may be *, *.NAME, a name or an address ([v6])");
  }
  return parts;
}

Result<EgressRule> parse_rule(const std::string& where, const std::string& text) {
  TRY(parts, split_rule(where, in_lower_case(text)));
  EgressRule rule{parts.host, {}};
  if (parts.ports.empty()) rule.ports = {80, 443};
  std::string_view rest = parts.ports;
  if (rest == "*") return rule;
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto port = port_of(rest.substr(0, comma));
    if (!port) return bad_egress(where, "\"" + text + "\": " + std::string(rest.substr(0, comma)) + " is not a port");
    rule.ports.push_back(*port);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return rule;
}

Result<void> read_rules(const Json& object, EgressPolicy& policy) {
  if (!object.contains("allow")) return {};
  TRY(words, read_strings(object, "allow", max_rules, 512));
  for (std::size_t i = 0; i < words.size(); ++i) {
    TRY(rule, parse_rule("allow[" + std::to_string(i) + "]", words[i]));
    policy.allow.push_back(rule);
  }
  return {};
}

Result<void> read_networks(const Json& object, EgressPolicy& policy) {
  if (!object.contains("networks")) return {};
  TRY(words, read_strings(object, "networks", max_rules, 64));
  for (const auto& word : words) {
    const auto slash = word.find('/');
    const auto address = word.substr(0, slash);
    unsigned bits = 0;
    const auto digits = slash == std::string::npos ? std::string() : word.substr(slash + 1);
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    const unsigned most = address.find(':') == std::string::npos ? 32 : 128;
    if (!is_address(address) || digits.empty() || failure != std::errc() || end != digits.data() + digits.size() || bits > most)
      return bad_egress("networks", "\"" + word + "\" is not ADDRESS/BITS, as in 10.0.0.0/8");
    policy.networks.push_back(word);
  }
  return {};
}

Result<void> read_hosts(const Json& object, EgressPolicy& policy) {
  const auto found = object.find("hosts");
  if (found == object.end()) return {};
  if (!found->is_object() || found->size() > max_rules) return bad_egress("hosts", "must be an object of NAME: ADDRESS");
  for (const auto& [name, address] : found->items()) {
    if (!address.is_string() || !is_address(address.get_ref<const std::string&>())) return bad_egress("hosts." + name, "is not an address");
    policy.hosts.emplace(in_lower_case(name), address.get_ref<const std::string&>());
  }
  return {};
}

Result<void> read_upstream(const Json& object, EgressPolicy& policy) {
  const auto found = object.find("upstream");
  if ((found == object.end()) != (policy.mode != EgressMode::upstream)) return bad_egress("upstream", "goes with mode upstream, and only with it");
  if (found == object.end()) return {};
  if (!found->is_object()) return bad_egress("upstream", "must be an object");
  TRY_VOID(refuse_unknown_keys(*found, {"proxy", "credentials"}));
  TRY(proxy, read_string(*found, "proxy", 300));
  TRY(parts, split_rule("upstream.proxy", in_lower_case(proxy)));
  const auto port = port_of(parts.ports);
  if (!port || parts.host.find('*') != std::string::npos) return bad_egress("upstream.proxy", "\"" + proxy + "\" is not HOST:PORT");
  TRY(credentials, try_read_string(*found, "credentials", 64));
  const auto name = credentials.value_or("");
  if (!std::ranges::all_of(name, is_host_char) || name.starts_with('.')) return bad_egress("upstream.credentials", "is the name of a file in the daemon's state, without a path");
  policy.upstream = EgressUpstream{parts.host, *port, name};
  return {};
}

template <class E>
Result<void> read_word(const Json& object, const char* key, E& into) {
  TRY(text, try_read_string(object, key, 32));
  if (!text) return {};
  const auto value = parse_enum<E>(*text);
  if (!value) return bad_egress(key, "\"" + *text + "\" is not one of its values");
  into = *value;
  return {};
}

}  // namespace

Result<EgressPolicy> parse_egress_policy(std::string_view text) {
  TRY(object, parse_json(text));
  EgressPolicy policy;
  if (object.is_string()) {
    const auto mode = parse_enum<EgressMode>(object.get_ref<const std::string&>());
    if (!mode || (*mode != EgressMode::deny && *mode != EgressMode::direct))
      return Error(Errc::invalid, "egress: \"deny\", \"direct\" or an object, not \"" + object.get_ref<const std::string&>() + "\"");
    policy.mode = *mode;
    return policy;
  }
  if (!object.is_object()) return Error(Errc::invalid, "egress: must be an object or a string");
  TRY_VOID(refuse_unknown_keys(object, {"mode", "allow", "networks", "hosts", "family", "upstream"}));
  if (object.contains("allow") && !object.contains("mode")) policy.mode = EgressMode::allow;
  TRY_VOID(read_word(object, "mode", policy.mode));
  TRY_VOID(read_word(object, "family", policy.family));
  TRY_VOID(read_rules(object, policy));
  TRY_VOID(read_networks(object, policy));
  TRY_VOID(read_hosts(object, policy));
  TRY_VOID(read_upstream(object, policy));
  const bool lists = policy.mode == EgressMode::allow || policy.mode == EgressMode::upstream;
  if (!lists && !policy.allow.empty()) return bad_egress("allow", "goes with mode allow or upstream");
  if (policy.mode == EgressMode::allow && policy.allow.empty()) return bad_egress("allow", "mode allow without a rule would be deny");
  return policy;
}

}  // namespace vigil::machine
