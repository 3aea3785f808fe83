#include "host/api/session_order.hpp"

#include "host/access/caller.hpp"
#include "host/api/request_reading.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace vigil::api {

namespace {

using nlohmann::json;

constexpr const char* default_image = "browser";
constexpr const char* default_cli_image = "cli";
constexpr const char* default_guest_user = "agent";
constexpr std::uint32_t desktop_memory_mib = 2048, cli_memory_mib = 2048;
constexpr std::size_t max_user_bytes = 128;

/// What is given as the user of a service: an id of theirs, in an audit log and in sentences.
Result<std::string> user_in(const json& order) {
  TRY(user, read_string(order, "user", max_user_bytes));
  const bool is_plain =
      !user.empty() && std::ranges::all_of(user, [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '/' && c != '"' && c != '\\'; });
  if (!is_plain) return Error(Errc::invalid, "user: 1 to 128 printable characters without blanks, / and quotes");
  return user;
}

Result<signin::Provider> provider_in(const json& order) {
  TRY(name, read_string(order, "provider", 64));
  if (const auto provider = parse_enum<signin::Provider>(name)) return *provider;
  std::string known;
  for (const auto& each : provider_names()) known += (known.empty() ? "" : ", ") + each;
  return Error(Errc::invalid, "provider: \"" + name + "\" is none of " + known);
}

Result<std::string> owner_in(const Context& context, const json& order) {
  TRY(owner, try_read_string(order, "owner", 64));
  if (!owner || *owner == context.caller.owner) return context.caller.owner;
  if (!context.caller.sees_all()) return Error(Errc::denied, "owner: only admins sign in for others; leave it out");
  return access::parse_owner(*owner);
}

Result<std::optional<InstanceId>> vm_in(const Context& context, const json& order, const char* key, const std::string& owner) {
  TRY(name, try_read_string(order, key, 80));
  if (!name) return std::optional<InstanceId>();
  TRY(row, visible_instance(context, *name));
  if (row.removed_unix_us) return Error(Errc::not_found, std::string(key) + ": " + row.name.value() + " was removed");
  if (row.spec.owner != owner && !context.caller.sees_all())
    return Error(Errc::denied, std::string(key) + ": " + row.name.value() + " is another owner's");
  return std::optional(row.id);
}

/// A create body over what a desktop needs.
Result<std::string> vm_spec_in(const json& order) {
  json spec = {{"image", default_image}, {"memory_mib", desktop_memory_mib}, {"ephemeral", true}, {"egress", "direct"}};
  TRY(image, try_read_string(order, "image", 200));
  if (image) spec["image"] = *image;
  if (const auto given = order.find("vm"); given != order.end()) {
    if (!given->is_object()) return Error(Errc::invalid, "vm: an object, as POST /v1/instances takes it");
    for (const auto* key : {"name", "owner", "secrets", "autostart", "restart"})
      if (given->contains(key)) return Error(Errc::invalid, std::string("vm: ") + key + " is not to be given for a session's VM");
    spec.update(*given);
  }
  const auto text = dump_json(spec);
  if (const auto parsed = machine::parse_spec(text); !parsed) return parsed.error().with_context("vm");
  return text;
}

/// Of the VM that is made when the user has none.
Result<std::string> cli_spec_in(const json& order) {
  TRY(image, try_read_string(order, "cli_image", 200));
  const auto text = dump_json(json{{"image", image.value_or(default_cli_image)}, {"memory_mib", cli_memory_mib}, {"egress", "direct"}, {"autostart", true}});
  if (const auto parsed = machine::parse_spec(text); !parsed) return parsed.error().with_context("cli_image");
  return text;
}

Result<std::string> guest_user_in(const json& order, const char* key) {
  TRY(user, try_read_string(order, key, 32));
  const bool is_name = !user || (!user->empty() && std::ranges::all_of(*user, [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  }));
  if (!is_name) return Error(Errc::invalid, std::string(key) + ": a user's name inside the VM");
  return user.value_or(default_guest_user);
}

Result<void> read_patience(const json& order, sessions::Patience& patience) {
  TRY(deadline, try_read_integer(order, "deadline_s", 10, 7200));
  TRY(lease, try_read_integer(order, "lease_s", 5, 3600));
  if (deadline) patience.user_s = static_cast<std::uint32_t>(*deadline);
  if (lease) patience.lease_s = static_cast<std::uint32_t>(*lease);
  return {};
}

}  // namespace

std::vector<std::string> provider_names() {
  std::vector<std::string> names;
  for (const auto& row : signin::provider_table()) names.emplace_back(vigil::to_text(row.provider));
  return names;
}

Result<sessions::Opened> parse_session_order(const Context& context, const json& order, const std::string& actor) {
  if (!order.is_object()) return Error(Errc::invalid, "the body must be a JSON object");
  TRY_VOID(refuse_unknown_keys(
      order, {"provider", "user", "owner", "cli_vm", "cli_user", "browser_vm", "guest_user", "image", "vm", "cli_image", "deadline_s", "lease_s"}));
  sessions::Opened opened;
  TRY(provider, provider_in(order));
  TRY(user, user_in(order));
  TRY(owner, owner_in(context, order));
  TRY(cli_vm, vm_in(context, order, "cli_vm", owner));
  TRY(browser_vm, vm_in(context, order, "browser_vm", owner));
  TRY(guest_user, guest_user_in(order, "guest_user"));
  TRY(cli_user, guest_user_in(order, "cli_user"));
  TRY_VOID(read_patience(order, opened.patience));
  TRY(cli_spec, cli_spec_in(order));
  if (cli_vm && order.contains("cli_image")) return Error(Errc::invalid, "cli_image: the CLI VM is there already; leave it out");
  if (!cli_vm) opened.cli_vm_spec = cli_spec;
  if (browser_vm && (order.contains("vm") || order.contains("image")))
    return Error(Errc::invalid, "browser_vm: it is there already; leave out image and vm");
  if (!browser_vm) {
    TRY(spec, vm_spec_in(order));
    opened.vm_spec = spec;
  }
  opened.provider = provider;
  opened.user = user;
  opened.owner = owner;
  opened.cli_vm = cli_vm;
  opened.browser_vm = browser_vm;
  opened.guest_user = guest_user;
  opened.cli_user = cli_user;
  opened.actor = actor;
  return opened;
}

Result<const sessions::Session*> visible_session(const Context& context, const std::string& id) {
  if (context.sessions == nullptr) return Error(Errc::unsupported, "this daemon keeps no sign-in sessions");
  TRY(session, context.sessions->find(id));
  if (!context.caller.sees_session(session->order.owner, session->id)) return Error(Errc::not_found, "there is no session " + id.substr(0, 80));
  return session;
}

}  // namespace vigil::api
