// The routes under /api/auth and /api/vm/auth that clients of the earlier sign-in service speak, in its shapes and words, over the same sessions. Credentials are in no answer.
#include "host/api/error_to_http.hpp"
#include "host/api/old_shapes.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/session_order.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace vigil::api {

using nlohmann::json;
using sessions::Session;

namespace {

constexpr std::uint64_t us_a_ms = 1000;

/// The one that was named, the one that the session has delivered to, or the one that this user has.
json cli_vm_of(const Context& context, const Session& session) {
  if (session.order.cli_vm) return session.order.cli_vm->value();
  if (session.delivered && !session.delivered->vm.empty()) return session.delivered->vm;
  const auto known = context.sessions->cli_vm_of({session.order.owner, session.order.user});
  return known ? json(known->vm.value()) : json(nullptr);
}

UnixUs ended_at(const Session& session) { return sessions::is_terminal(session.state) ? session.history.back().at_unix_us : 0; }

UnixUs stored_at(const Session& session) {
  for (const auto& reached : session.history)
    if (reached.state == sessions::State::delivering || reached.state == sessions::State::completed) return reached.at_unix_us;
  return session.history.back().at_unix_us;
}

http::Response unkept(http::Response response) {
  response.headers.emplace_back("Cache-Control", "no-store");  // it may hold the sign-in address
  return response;
}

json waiting_json(const Session& session, const char* message) {
  const auto since = session.history.front().at_unix_us;
  const auto until = sessions::is_terminal(session.state) ? ended_at(session) : SystemClock().unix_us();
  const auto age = until - std::min(since, until);
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

json old_session(const Context& context, const Session& session) {
  const auto began = session.history.front().at_unix_us, ended = ended_at(session);
  json out = {{"session_id", session.id},
              {"user_id", session.order.user},
              {"provider", vigil::to_text(session.order.provider)},
              {"status", old_session_status(session.state)},
              {"vm_id", cli_vm_of(context, session)},
              {"started_at", iso_time(began)},
              {"created_at", iso_time(began)},
              {"completed_at", iso_or_null(ended)},
              {"timeout_at", iso_or_null(session.deadline_unix_us)},
              {"started_at_unix_ms", began / us_a_ms}};
  out["browser_vm_id"] = session.vm ? json(session.vm->value()) : json(nullptr);
  out["auth_url"] = session.url.empty() ? json(nullptr) : json(session.url);
  out["error_message"] = session.cause ? json(protocol::sentence(*session.cause)) : json(nullptr);
  out["completed_at_unix_ms"] = ended != 0 ? json(ended / us_a_ms) : json(nullptr);
  return out;
}

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
  if (!session) return reply.send(to_old_response(session.error()));
  reply.send(unkept(http::json_response(200, json{{"session", old_session(context, **session)}})));
}

void get_auth_url(const Context& context, const Request& request, const Reply& reply) {
  const auto session = visible_session(context, request.parameter("session"));
  if (!session) return reply.send(to_old_response(session.error()));
  if (!(*session)->url.empty()) return reply.send(unkept(http::json_response(200, json{{"oauthUrl", (*session)->url}})));
  if (sessions::is_terminal((*session)->state))
    return reply.send(
        to_old_response(Error(Errc::not_found, "session " + (*session)->id + " has ended: " + old_session_status((*session)->state))));
  reply.send(unkept(http::json_response(202, waiting_json(**session, "the sign-in address is not known yet"))));
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
                                                    {"modifiedAt", iso_time(stored_at(known))},
                                                    {"path", path}}));
  }
  auto out = waiting_json(known, old_session_status(known.state));
  out["authenticated"] = false;
  out["waiting"] = !sessions::is_terminal(known.state);
  reply.send(http::json_response(200, out));
}

void hold_auth(const Context& context, const Request& request, const Reply& reply) {
  const auto session = visible_session(context, request.parameter("session"));
  if (!session) return reply.send(to_old_response(session.error()));
  if (sessions::is_terminal((*session)->state)) return reply.send(success());  // nothing is held any more, and nobody need stop to ask
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
