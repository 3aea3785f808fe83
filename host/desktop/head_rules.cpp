#include "host/desktop/head_rules.hpp"

#include "host/ports/address.hpp"

namespace vigil::desktop {

namespace {

constexpr std::string_view host_end = ".localhost";

ports::Refusal forbidden(const std::string& detail) { return {403, "denied", "a web page may not ask this", detail, ""}; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::variant<InstanceId, ports::Refusal> vm_of(const Head& head) {
  const auto name = ports::host_name_of(head.host);
  const auto id = name && name->ends_with(host_end) ? parse_instance_id(name->substr(0, name->size() - host_end.size()))
                                                    : Result<InstanceId>(Error(Errc::invalid, "no localhost name"));
  if (!id)
    return ports::Refusal{421, "denied", "this address does not serve that host",
                          "each VM's desktop is at a host of its own, ID.localhost; `vigil desktop VM` prints the address", ""};
  if (!head.origin.empty() && head.origin != "http://" + head.host)
    return forbidden("its origin is " + head.origin + ", this is http://" + head.host);
  const bool opens_page = head.path == "/" && head.fetch_mode == "navigate";
  const bool is_ours = head.fetch_site.empty() || head.fetch_site == "same-origin" || head.fetch_site == "none";
  if (!is_ours && !opens_page) return forbidden("it comes from another site (Sec-Fetch-Site: " + head.fetch_site + ")");
  if (head.path == "/rfb" && head.origin.empty()) return forbidden("a WebSocket says its origin; this one is http://" + head.host);
  return *id;
}

std::optional<std::string> cookie_of(std::string_view field, std::string_view name) {
  std::optional<std::string> found;
  while (!field.empty()) {
    const auto pair = trimmed(field.substr(0, field.find(';')));
    field.remove_prefix(std::min(field.size(), field.find(';') == field.npos ? field.size() : field.find(';') + 1));
    const auto equals = pair.find('=');
    if (equals == pair.npos || trimmed(pair.substr(0, equals)) != name) continue;
    const std::string value(trimmed(pair.substr(equals + 1)));
    if (found && *found != value) return std::nullopt;
    found = value;
  }
  return found;
}

}  // namespace vigil::desktop
