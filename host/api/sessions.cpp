// Sign-in sessions: begin one, look, follow, hold, cancel.
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/session_order.hpp"
#include "host/sessions/session_json.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace vigil::api {

namespace {

using nlohmann::json;

/// A session's events on their way into a stream; as long as it is open the session is in use.
class SessionSource final : public http::EventSource {
public:
  SessionSource(sessions::Sessions& all, std::string id, std::uint64_t after, bool follow)
      : all_(all), id_(std::move(id)), after_(after), follow_(follow) {
    if (follow_)
      viewer_ = all_.join(id_, [wake = wake_] {
        if (*wake) (*wake)();
      });
  }

  Result<Batch> next() override {
    Batch batch;
    for (auto& event : all_.events_of(id_, after_)) {
      after_ = event.seq;
      batch.events.push_back({event.seq, event.type, event.data});
    }
    const auto session = all_.find(id_);
    batch.ended = !follow_ || !session || (sessions::is_terminal((*session)->state) && !sessions::work_of(**session));
    return batch;
  }
  void on_more(std::function<void()> wake) override { *wake_ = std::move(wake); }

private:
  sessions::Sessions& all_;
  std::string id_;
  std::uint64_t after_;
  bool follow_;
  std::shared_ptr<std::function<void()>> wake_ = std::make_shared<std::function<void()>>();
  sessions::Sessions::Viewer viewer_;
};

Result<std::uint64_t> session_cursor(const Request& request) {
  auto text = request.header("last-event-id");
  if (!text) text = request.query_value("after");
  std::uint64_t seq = 0;
  if (!text) return seq;
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), seq);
  if (failure != std::errc() || end != text->data() + text->size()) return Error(Errc::invalid, "after: not a number");
  return seq;
}

http::Response session_response(int status, const sessions::Session& session) {
  auto response = http::json_response(status, sessions::session_json(session));
  response.headers.emplace_back("Cache-Control", "no-store");   // it may hold the sign-in address
  return response;
}

Result<std::string> create_from(const Context& context, const Request& request) {
  if (context.sessions == nullptr) return Error(Errc::unsupported, "this daemon keeps no sign-in sessions");
  TRY(body, parse_json(request.body));
  TRY(order, parse_session_order(context, body, actor_of(context, request)));
  return context.sessions->open(std::move(order));
}

}  // namespace

void create_session(const Context& context, const Request& request, const Reply& reply) {
  const auto id = create_from(context, request);
  if (!id) return reply.send(to_response(id.error()));
  const auto session = context.sessions->find(*id);
  if (!session) return reply.send(to_response(session.error()));
  auto response = session_response(201, **session);
  response.headers.emplace_back("Location", "/v1/sessions/" + *id);
  reply.send(std::move(response));
}

void list_sessions(const Context& context, const Request&, const Reply& reply) {
  if (context.sessions == nullptr) return reply.send(to_response(Error(Errc::unsupported, "this daemon keeps no sign-in sessions")));
  const auto all = context.sessions->list();
  if (!all) return reply.send(to_response(all.error()));
  auto list = json::array();
  for (const auto* session : *all) {
    if (!context.caller.sees(session->order.owner)) continue;
    list.push_back(sessions::session_json(*session));
    list.back()["url"] = nullptr;   // for who signs in, not for who looks
  }
  reply.send(http::json_response(200, list));
}

void get_session(const Context& context, const Request& request, const Reply& reply) {
  const auto session = visible_session(context, request.parameter("session"));
  reply.send(session ? session_response(200, **session) : to_response(session.error()));
}

void stream_session_events(const Context& context, const Request& request, const Reply& reply) {
  const auto session = visible_session(context, request.parameter("session"));
  if (!session) return reply.send(to_response(session.error()));
  const auto after = session_cursor(request);
  if (!after) return reply.send(to_response(after.error()));
  const bool follow = request.query_value("follow").value_or("1") != "0";
  reply.stream(std::make_unique<SessionSource>(*context.sessions, (*session)->id, *after, follow));
}

void cancel_session(const Context& context, const Request& request, const Reply& reply) {
  const auto session = visible_session(context, request.parameter("session"));
  if (!session) return reply.send(to_response(session.error()));
  const auto cancelled = context.sessions->cancel((*session)->id, actor_of(context, request));
  reply.send(cancelled ? session_response(200, **session) : to_response(cancelled.error()));
}

void hold_session(const Context& context, const Request& request, const Reply& reply) {
  const auto session = visible_session(context, request.parameter("session"));
  if (!session) return reply.send(to_response(session.error()));
  const auto held = context.sessions->heartbeat((*session)->id, actor_of(context, request));
  reply.send(held ? session_response(200, **session) : to_response(held.error()));
}

}  // namespace vigil::api
