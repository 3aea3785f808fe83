// The routes under /api/auth and /api/vm/auth that clients of the earlier sign-in service speak, in its shapes and words, over the same sessions. Credentials are in no answer.
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/session_order.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>

namespace vigil::api {

namespace {

using nlohmann::json;
using sessions::Session;
using sessions::State;

constexpr std::uint64_t us_a_ms = 1000;

const char* old_status(State state) {
  switch (state) {
    case State::vm_starting: return "started";
    case State::cli_starting:
    case State::waiting_for_address: return "ready";
    case State::waiting_for_user:
    case State::callback_seen:
    case State::storing:
    case State::delivering: return "awaiting_user_auth";
    case State::completed: return "completed";
    case State::failed: return "failed";
    case State::timed_out: return "timeout";
    case State::cancelled: return "cancelled";
  }
  std::abort();
}

json old_session(const Session& session) {
  json out = {{"session_id", session.id},
              {"user_id", session.order.user},
              {"provider", vigil::to_text(session.order.provider)},
              {"status", old_status(session.state)},
              {"started_at_unix_ms", session.history.front().at_unix_us / us_a_ms}};
  out["browser_vm_id"] = session.vm ? json(session.vm->value()) : json(nullptr);
  out["vm_id"] = session.order.cli_vm ? json(session.order.cli_vm->value()) : json(nullptr);
  out["auth_url"] = session.url.empty() ? json(nullptr) : json(session.url);
  out["error_message"] = session.cause ? json(protocol::sentence(*session.cause)) : json(nullptr);
  out["completed_at_unix_ms"] = sessions::is_terminal(session.state) ? json(session.history.back().at_unix_us / us_a_ms) : json(nullptr);
  return out;
}

json waiting_json(const Session& session, const char* message) {
  const auto age = session.history.back().at_unix_us - session.history.front().at_unix_us;
  return {{"waiting", true}, {"message", message}, {"elapsedMs", age / us_a_ms}};
}

http::Response success() { return http::json_response(200, json{{"success", true}}); }

http::Response unknown_provider() {
  return http::json_response(400, json{{"error", "Invalid provider"}, {"validProviders", provider_names()}});
}

Result<Session> begin(const Context& context, const json& body, const std::string& actor) {
  if (context.sessions == nullptr) return Error(Errc::unsupported, "this daemon keeps no sign-in sessions");
  TRY(user, read_string(body, "userId", 128));
  TRY(provider, read_string(body, "provider", 64));
  TRY(order, parse_session_order(context, json{{"user", user}, {"provider", provider}}, actor));
  TRY(id, context.sessions->open(std::move(order)));
  TRY(session, context.sessions->find(id));
  return *session;
}

/// The credential as its own text; where it came from is zeroed as far as it is ours.
Result<vault::Secret> credential_in(json& body) {
  const auto found = body.find("credentials");
  if (found == body.end()) return Error(Errc::invalid, "credentials: missing");
  auto text = found->is_string() ? std::move(found->get_ref<std::string&>()) : dump_json(*found);
  return vault::Secret::take_from(text);
}

Result<void> give_credential(const Context& context, const Request& request) {
  TRY(body, parse_json(request.body));
  if (!body.is_object()) return Error(Errc::invalid, "the body must be a JSON object");
  TRY(id, read_string(body, "sessionId", 80));
  TRY(provider, read_string(body, "provider", 64));
  TRY(session, visible_session(context, id));
  if (provider != vigil::to_text(session->order.provider))
    return Error(Errc::invalid, "provider: session " + id + " is one of " + std::string(vigil::to_text(session->order.provider)));
  TRY(credential, credential_in(body));
  return context.sessions->give(id, std::move(credential), actor_of(context, request));
}

}  // namespace

void start_auth(const Context& context, const Request& request, const Reply& reply) {
  const auto body = parse_json(request.body);
  if (!body || !body->is_object()) return reply.send(http::json_response(400, json{{"error", "the body must be a JSON object"}}));
  const auto provider = read_string(*body, "provider", 64);
  if (!provider || !parse_enum<signin::Provider>(*provider)) return reply.send(unknown_provider());
  const auto session = begin(context, *body, actor_of(context, request));
  if (!session) return reply.send(to_old_response(session.error()));
  reply.send(http::json_response(
      200, json{{"success", true}, {"sessionId", session->id}, {"provider", *provider}, {"novncURL", nullptr}, {"browserIP", nullptr}}));
}

void get_auth_session(const Context& context, const Request& request, const Reply& reply) {
  const auto session = visible_session(context, request.parameter("session"));
  reply.send(session ? http::json_response(200, json{{"session", old_session(**session)}}) : to_old_response(session.error()));
}

void get_auth_url(const Context& context, const Request& request, const Reply& reply) {
  const auto session = visible_session(context, request.parameter("session"));
  if (!session) return reply.send(to_old_response(session.error()));
  if (!(*session)->url.empty()) return reply.send(http::json_response(200, json{{"oauthUrl", (*session)->url}}));
  if (sessions::is_terminal((*session)->state))
    return reply.send(
        to_old_response(Error(Errc::not_found, "session " + (*session)->id + " has ended: " + old_status((*session)->state))));
  reply.send(http::json_response(202, waiting_json(**session, "the sign-in address is not known yet")));
}

void get_auth_credentials(const Context& context, const Request& request, const Reply& reply) {
  const auto session = visible_session(context, request.parameter("session"));
  if (!session) return reply.send(to_old_response(session.error()));
  const auto& known = **session;
  if (known.stored) {
    const auto path = known.delivered && known.delivered->problem.empty() ? json(known.delivered->path) : json(nullptr);
    return reply.send(http::json_response(200, json{{"authenticated", true},
                                                    {"status", "ready"},
                                                    {"source", "vault"},
                                                    {"provider", vigil::to_text(known.order.provider)},
                                                    {"path", path}}));
  }
  auto out = waiting_json(known, old_status(known.state));
  out["authenticated"] = false;
  out["waiting"] = !sessions::is_terminal(known.state);
  reply.send(http::json_response(200, out));
}

void hold_auth(const Context& context, const Request& request, const Reply& reply) {
  const auto session = visible_session(context, request.parameter("session"));
  if (!session) return reply.send(to_old_response(session.error()));
  const auto held = context.sessions->heartbeat((*session)->id, actor_of(context, request));
  reply.send(held ? success() : to_old_response(held.error()));
}

/// Its VM goes with it. Of one that has ended there is nothing to do, and no error.
void end_auth(const Context& context, const Request& request, const Reply& reply) {
  const auto session = visible_session(context, request.parameter("session"));
  if (!session) return reply.send(to_old_response(session.error()));
  if (sessions::is_terminal((*session)->state)) return reply.send(success());
  const auto cancelled = context.sessions->cancel((*session)->id, actor_of(context, request));
  reply.send(cancelled ? success() : to_old_response(cancelled.error()));
}

void store_auth_credentials(const Context& context, const Request& request, const Reply& reply) {
  const auto given = give_credential(context, request);
  reply.send(given ? success() : to_old_response(given.error()));
}

}  // namespace vigil::api
