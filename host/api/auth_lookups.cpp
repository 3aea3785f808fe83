// What clients of the earlier service look up of a user and of a session's VM, in its shapes: credentials (never their content), sessions, validity, where the desktop is.
#include "host/api/error_to_http.hpp"
#include "host/api/old_shapes.hpp"
#include "host/api/session_order.hpp"
#include "host/desktop/server.hpp"
#include "host/vault/vault.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

namespace {

using nlohmann::json;
using sessions::Session;

/// What the caller sees of this user's.
Result<std::vector<vault::Entry>> entries_of(const Context& context, const std::string& user) {
  if (context.vault == nullptr) return Error(Errc::unsupported, "this daemon keeps no vault");
  TRY(all, context.vault->list());
  std::erase_if(all, [&](const vault::Entry& entry) { return entry.of.user != user || !context.caller.sees(entry.of.owner); });
  return std::move(all);
}

/// null: nobody has looked yet.
json is_valid(const vault::Entry& entry) { return entry.check ? json(entry.check->valid) : json(nullptr); }

json old_credential(const vault::Entry& entry) {
  return {{"credential_id", entry.of.user + "/" + entry.of.provider},
          {"provider", entry.of.provider},
          {"is_valid", is_valid(entry)},
          {"last_verified", entry.check ? iso_or_null(entry.check->at_unix_us) : json(nullptr)},
          {"expires_at", nullptr},  // its CLI renews it where it is used: what was stored does not say
          {"created_at", iso_time(entry.stored_unix_us)},
          {"version", entry.version}};
}

json validity(const vault::Entry& entry) {
  if (!entry.check) return {{"valid", nullptr}, {"untested", true}, {"reason", "its CLI has not been asked yet"}};
  json out = {{"valid", entry.check->valid}, {"lastVerified", iso_time(entry.check->at_unix_us)}};
  if (!entry.check->valid) out["reason"] = entry.check->how;
  return out;
}

/// The VM in which the user signs in. Errc::conflict: there is none yet.
Result<Look> vm_of_session(const Context& context, const Session& session) {
  if (!session.vm) return Error(Errc::conflict, "session " + session.id + " has no VM yet; its events say when it has");
  return context.control.look(session.vm->value(), std::nullopt);
}

http::Response gone(const Session& session) {
  return http::json_response(
      410, json{{"error", "the VM of session " + session.id + " is gone: the session has ended as " + old_session_status(session.state)}});
}

bool is_gone(const Result<Look>& look, const Session& session) {
  return session.vm && (session.vm_is_gone || (look ? look->row.removed_unix_us.has_value() : look.error().code() == Errc::not_found));
}

}  // namespace

void list_auth_credentials(const Context& context, const Request& request, const Reply& reply) {
  const auto entries = entries_of(context, request.parameter("user"));
  if (!entries) return reply.send(to_old_response(entries.error()));
  auto credentials = json::array();
  for (const auto& entry : *entries) credentials.push_back(old_credential(entry));
  reply.send(http::json_response(200, json{{"credentials", std::move(credentials)}}));
}

void list_auth_sessions(const Context& context, const Request& request, const Reply& reply) {
  if (context.sessions == nullptr) return reply.send(to_old_response(Error(Errc::unsupported, "this daemon keeps no sign-in sessions")));
  const auto all = context.sessions->list();
  if (!all) return reply.send(to_old_response(all.error()));
  auto list = json::array();
  std::size_t active = 0;
  for (const auto* session : *all) {
    if (session->order.user != request.parameter("user") || !context.caller.sees(session->order.owner)) continue;
    list.push_back(old_session(context, *session));
    list.back()["auth_url"] = nullptr;  // for who signs in, not for who looks
    if (!sessions::is_terminal(session->state)) ++active;
  }
  reply.send(http::json_response(200, json{{"sessions", std::move(list)}, {"totalActive", active}}));
}

/// What its own CLI said when it was asked last; nothing is run for it.
void validate_auth(const Context& context, const Request& request, const Reply& reply) {
  const auto entries = entries_of(context, request.parameter("user"));
  if (!entries) return reply.send(to_old_response(entries.error()));
  for (const auto& entry : *entries)
    if (entry.of.provider == request.parameter("provider")) return reply.send(http::json_response(200, validity(entry)));
  reply.send(http::json_response(200, json{{"valid", false}, {"reason", "the vault has no such credential of this user"}}));
}

void get_auth_vm(const Context& context, const Request& request, const Reply& reply) {
  const auto session = visible_session(context, request.parameter("session"));
  if (!session) return reply.send(to_old_response(session.error()));
  const auto look = vm_of_session(context, **session);
  if (is_gone(look, **session)) return reply.send(gone(**session));
  if (!look) return reply.send(to_old_response(look.error()));
  reply.send(http::json_response(200, json{{"vmId", look->row.id.value()},
                                           {"vmIP", nullptr},  // it has no NIC: its ports are reached through the daemon
                                           {"created", iso_time(look->row.created_unix_us)},
                                           {"lastHeartbeat", last_heartbeat_of(look->state)}}));
}

/// Where the page is. What lets a browser in is no part of an address that others read, too: whoever comes without it learns from the page what to type.
void find_auth_desktop(const Context& context, const Request& request, const Reply& reply) {
  const auto session = visible_session(context, request.parameter("session"));
  if (!session) return reply.send(to_old_response(session.error()));
  const auto look = vm_of_session(context, **session);
  if (is_gone(look, **session)) return reply.send(gone(**session));
  if (!look) return reply.send(to_old_response(look.error()));
  if (context.desktops == nullptr) return reply.send(to_old_response(Error(Errc::unavailable, "this daemon serves no desktops")));
  const auto page = context.desktops->page_of(look->row.id);
  if (!page) return reply.send(to_old_response(page.error()));
  const auto command = "vigil desktop " + look->row.name.value();
  auto response =
      http::json_response(307, json{{"url", *page},
                                    {"message", "the desktop is a page of its own; " + command + " (POST /v1/instances/" +
                                                    look->row.id.value() + "/desktop) gives the address that lets one browser in"},
                                    {"command", command}});
  response.headers.emplace_back("Location", *page);
  response.headers.emplace_back("Cache-Control", "no-store");
  reply.send(std::move(response));
}

}  // namespace vigil::api
