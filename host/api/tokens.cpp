// Bearer tokens: made, listed, revoked. The text of one is in one answer, and nowhere else.
#include "host/access/token.hpp"
#include "host/api/error_to_http.hpp"
#include "host/api/or_null.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/session_order.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <ctime>

namespace vigil::api {

namespace {

using nlohmann::json;

constexpr std::int64_t max_token_days = 3650;
constexpr std::size_t max_label_bytes = 200;
constexpr UnixUs us_a_second = 1'000'000, us_a_day = 86'400 * us_a_second;

UnixUs token_time() { return static_cast<UnixUs>(std::time(nullptr)) * us_a_second; }

json token_json(const store::TokenRow& token) {
    json scopes = json::array();
    if (access::session_of_scope(token.scopes)) scopes.push_back(token.scopes);
    else if (const auto parsed = access::parse_scopes(token.scopes))
        for (const auto scope : *parsed) scopes.push_back(vigil::to_text(scope));
    return {{"id", token.id},          {"owner", token.owner}, {"scopes", scopes}, {"label", token.label}, {"created_unix_us", token.created_unix_us},
            {"expires_unix_us", or_null(token.expires_unix_us)}, {"revoked_unix_us", or_null(token.revoked_unix_us)}};
}

Result<std::string> scopes_in(const json& order) {
    TRY(words, read_strings(order, "scopes", 8));
    std::string joined;
    for (const auto& word : words) joined += (joined.empty() ? "" : ",") + word;
    TRY(scopes, access::parse_scopes(joined));
    return access::to_text(scopes);
}

Result<store::TokenRow> parse_token_order(const std::string& body) {
    TRY(order, parse_json(body));
    if (!order.is_object()) return Error(Errc::invalid, "the body must be a JSON object");
    TRY_VOID(refuse_unknown_keys(order, {"owner", "scopes", "label", "expires_days"}));
    TRY(owner_text, read_string(order, "owner", 64));
    TRY(owner, access::parse_owner(owner_text));
    TRY(scopes, scopes_in(order));
    TRY(label, try_read_string(order, "label", max_label_bytes));
    TRY(days, try_read_integer(order, "expires_days", 1, max_token_days));
    store::TokenRow row;
    row.owner = owner;
    row.scopes = scopes;
    row.label = label.value_or("");
    row.created_unix_us = token_time();
    if (days) row.expires_unix_us = row.created_unix_us + static_cast<UnixUs>(*days) * us_a_day;
    return row;
}

http::Response no_token_store() { return to_response(Error(Errc::unsupported, "this daemon keeps no tokens")); }

}  // namespace

void list_tokens(const Context& context, const Request&, const Reply& reply) {
    const auto tokens = context.store.tokens();
    if (!tokens) return reply.send(to_response(tokens.error()));
    auto list = json::array();
    for (const auto& token : *tokens) list.push_back(token_json(token));
    reply.send(http::json_response(200, list));
}

void create_token(const Context& context, const Request& request, const Reply& reply) {
    if (context.tokens == nullptr) return reply.send(no_token_store());
    auto row = parse_token_order(request.body);
    if (!row) return reply.send(to_response(row.error()));
    const auto token = access::make_token();
    row->id = token.id;
    row->sha256 = token.sha256;
    if (const auto added = context.tokens->add_token(*row); !added) return reply.send(to_response(added.error()));
    spdlog::info("token.created id={} owner={} scopes={} actor=\"{}\"", row->id, row->owner, row->scopes, actor_of(context, request));
    auto body = token_json(*row);
    body["token"] = token.text;
    auto response = http::json_response(201, body);
    response.headers.emplace_back("Cache-Control", "no-store");
    reply.send(std::move(response));
}

/// Of the session's owner, and over when the session can have no more use for it.
void create_session_token(const Context& context, const Request& request, const Reply& reply) {
    if (context.tokens == nullptr) return reply.send(no_token_store());
    const auto session = visible_session(context, request.parameter("session"));
    if (!session) return reply.send(to_response(session.error()));
    if (sessions::is_terminal((*session)->state))
        return reply.send(to_response(Error(Errc::conflict, "session " + (*session)->id + " has ended, nothing is left to do with a token of it")));
    const auto token = access::make_token();
    store::TokenRow row;
    row.id = token.id;
    row.sha256 = token.sha256;
    row.owner = (*session)->order.owner;
    row.scopes = access::session_scope((*session)->id);
    row.created_unix_us = token_time();
    row.expires_unix_us = row.created_unix_us + (*session)->order.patience.max_age_s * us_a_second;
    if (const auto added = context.tokens->add_token(row); !added) return reply.send(to_response(added.error()));
    spdlog::info("token.created id={} session={} actor=\"{}\"", row.id, (*session)->id, actor_of(context, request));
    auto response = http::json_response(201, json{{"id", row.id}, {"session", (*session)->id}, {"expires_unix_us", *row.expires_unix_us}, {"token", token.text}});
    response.headers.emplace_back("Cache-Control", "no-store");
    reply.send(std::move(response));
}

void revoke_token(const Context& context, const Request& request, const Reply& reply) {
    if (context.tokens == nullptr) return reply.send(no_token_store());
    const auto& id = request.parameter("token");
    if (const auto revoked = context.tokens->revoke_token(id, token_time()); !revoked) return reply.send(to_response(revoked.error()));
    const auto ended = context.gate == nullptr ? 0 : context.gate->end_answers(id);
    spdlog::info("token.revoked id={} ended={} actor=\"{}\"", id, ended, actor_of(context, request));
    reply.send(http::empty_response(204));
}

}  // namespace vigil::api
