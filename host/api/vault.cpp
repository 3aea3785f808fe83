// Credentials in the vault: what is known of them, and, to who has the scope vault:read, one of them in the open. Every look at one is in the audit log.
#include "host/vault/vault.hpp"
#include "host/access/caller.hpp"
#include "host/api/error_to_http.hpp"
#include "host/api/or_null.hpp"
#include "host/api/request_reading.hpp"

#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include <charconv>

namespace vigil::api {

namespace {

using nlohmann::json;

constexpr std::size_t default_audit_rows = 200, max_audit_rows = 10'000;

http::Response no_vault() { return to_response(Error(Errc::unsupported, "this daemon keeps no vault")); }

json owner_json(const std::string& owner) { return owner.empty() ? json(nullptr) : json(owner); }

json entry_json(const vault::Entry& entry) {
  json out = {{"owner", owner_json(entry.of.owner)},
              {"user", entry.of.user},
              {"provider", entry.of.provider},
              {"version", entry.version},
              {"stored_unix_us", entry.stored_unix_us},
              {"bytes", entry.bytes},
              {"sha256", entry.sha256},
              {"shape", entry.shape},
              {"key", entry.key}};
  out["session"] = entry.session.empty() ? json(nullptr) : json(entry.session);
  out["check"] = nullptr;
  if (entry.check) out["check"] = {{"valid", entry.check->valid}, {"at_unix_us", entry.check->at_unix_us}, {"how", entry.check->how}};
  return out;
}

json audit_json(const vault::AuditRow& row) {
  return {{"seq", row.seq},
          {"at_unix_us", row.at_unix_us},
          {"actor", row.actor},
          {"action", row.action},
          {"owner", owner_json(row.of.owner)},
          {"user", row.of.user},
          {"provider", row.of.provider},
          {"outcome", row.outcome}};
}

/// The caller's own; an admin may name another owner's with ?owner=.
Result<vault::EntryKey> key_of_credential(const Context& context, const Request& request) {
  auto owner = context.caller.owner;
  if (const auto named = request.query_value("owner"); named && *named != owner) {
    if (!context.caller.sees_all()) return Error(Errc::denied, "owner: only admins name another's; leave it out");
    TRY(parsed, access::parse_owner(*named));
    owner = parsed;
  }
  return vault::EntryKey{owner, request.parameter("user"), request.parameter("provider")};
}

http::Response unseen(http::Response response) {
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

}  // namespace

void list_vault(const Context& context, const Request&, const Reply& reply) {
  if (context.vault == nullptr) return reply.send(no_vault());
  const auto entries = context.vault->list();
  if (!entries) return reply.send(to_response(entries.error()));
  auto list = json::array();
  for (const auto& entry : *entries)
    if (context.caller.sees(entry.of.owner)) list.push_back(entry_json(entry));
  reply.send(http::json_response(200, list));
}

void get_vault_entry(const Context& context, const Request& request, const Reply& reply) {
  if (context.vault == nullptr) return reply.send(no_vault());
  const auto of = key_of_credential(context, request);
  if (!of) return reply.send(to_response(of.error()));
  const auto entry = context.vault->find(*of);
  if (!entry) return reply.send(to_response(entry.error()));
  if (!*entry)
    return reply.send(
        to_response(Error(Errc::not_found, "the vault has no credential of " + of->provider.substr(0, 80) + " for this user")));
  reply.send(http::json_response(200, entry_json(**entry)));
}

void note_refused_reveal(const Context& context, const Request& request) {
  const auto of = key_of_credential(context, request);
  if (context.vault != nullptr && of) (void)context.vault->note_refusal(*of, "reveal", actor_of(context, request), "denied");
}

void reveal_credential(const Context& context, const Request& request, const Reply& reply) {
  if (context.vault == nullptr) return reply.send(no_vault());
  const auto of = key_of_credential(context, request);
  if (!of) return reply.send(to_response(of.error()));
  const auto actor = actor_of(context, request);
  if (!context.caller.may(access::Scope::vault_read)) {  // where nobody has to say who he is, too
    note_refused_reveal(context, request);
    return reply.send(access::forbidden("credentials are revealed to who has the scope vault:read alone"));
  }
  const auto secret = context.vault->reveal(*of, "reveal", actor);
  if (!secret) return reply.send(to_response(secret.error()));
  spdlog::info("vault.revealed user={} provider={} actor=\"{}\"", of->user, of->provider, actor);
  reply.send(unseen({200, "application/json", std::string(secret->view()), {}}));
}

void remove_credential(const Context& context, const Request& request, const Reply& reply) {
  if (context.vault == nullptr) return reply.send(no_vault());
  const auto of = key_of_credential(context, request);
  if (!of) return reply.send(to_response(of.error()));
  const auto removed = context.vault->remove(*of, actor_of(context, request));
  reply.send(removed ? http::empty_response(204) : to_response(removed.error()));
}

void list_vault_audit(const Context& context, const Request& request, const Reply& reply) {
  if (context.vault == nullptr) return reply.send(no_vault());
  std::size_t limit = default_audit_rows;
  if (const auto text = request.query_value("limit")) {
    const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), limit);
    if (failure != std::errc() || end != text->data() + text->size() || limit == 0 || limit > max_audit_rows)
      return reply.send(to_response(Error(Errc::invalid, "limit: 1 to " + std::to_string(max_audit_rows))));
  }
  const auto rows = context.vault->audit(limit);
  if (!rows) return reply.send(to_response(rows.error()));
  auto list = json::array();
  for (const auto& row : *rows)
    if (context.caller.sees_all() || (!row.of.user.empty() && context.caller.sees(row.of.owner))) list.push_back(audit_json(row));
  reply.send(http::json_response(200, list));
}

void rotate_vault(const Context& context, const Request& request, const Reply& reply) {
  if (context.vault == nullptr) return reply.send(no_vault());
  const auto rotated = context.vault->rotate(actor_of(context, request));
  if (!rotated) return reply.send(to_response(rotated.error()));
  spdlog::info("vault.rotated before={} now={} credentials={}", rotated->before, rotated->now, rotated->credentials);
  reply.send(http::json_response(200, json{{"before", rotated->before}, {"now", rotated->now}, {"credentials", rotated->credentials}}));
}

}  // namespace vigil::api
