// The table of all routes, with the scope that each needs; the one place where who asks is found out. A row here needs its path in openapi.yaml; a test compares the two.
#include "host/api/answers.hpp"
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/blackbox/box_name.hpp"

#include <optional>

namespace vigil::api {

namespace {

using http::Method;

using access::Scope;

struct Row {
    Method method;
    const char* pattern;
    std::optional<Scope> needs;   // nullopt: nobody has to say who he is
    void (*answer)(const Context&, const Request&, const Reply&);
};

constexpr Row rows[] = {
    {Method::get, "/healthz", std::nullopt, get_health},
    {Method::get, "/openapi.yaml", Scope::read, get_openapi},
    {Method::get, "/metrics", Scope::metrics, get_metrics},
    {Method::get, "/v1/daemon", Scope::read, get_daemon},
    {Method::post, "/v1/instances", Scope::operate, create_instance},
    {Method::get, "/v1/instances", Scope::read, list_instances},
    {Method::get, "/v1/instances/{id}", Scope::read, get_instance},
    {Method::del, "/v1/instances/{id}", Scope::operate, remove_instance},
    {Method::post, "/v1/instances/{id}/start", Scope::operate, start_instance},
    {Method::post, "/v1/instances/{id}/stop", Scope::operate, stop_instance},
    {Method::get, "/v1/instances/{id}/timeline", Scope::read, get_timeline},
    {Method::get, "/v1/instances/{id}/services", Scope::read, get_services},
    {Method::post, "/v1/instances/{id}/services/{service}", Scope::operate, control_service},
    {Method::post, "/v1/instances/{id}/agent", Scope::operate, replace_agent},
    {Method::get, "/v1/instances/{id}/crashes", Scope::read, get_crashes},
    {Method::get, "/v1/instances/{id}/console", Scope::read, get_console},
    {Method::get, "/v1/instances/{id}/logs", Scope::read, stream_logs},
    {Method::get, "/v1/instances/{id}/logs/{service}", Scope::read, get_logs},
    {Method::get, "/v1/instances/{id}/why", Scope::read, get_why},
    {Method::get, "/v1/instances/{id}/policy", Scope::read, get_policy},
    {Method::post, "/v1/instances/{id}/policy", Scope::operate, pause_policy},
    {Method::post, "/v1/instances/{id}/hold", Scope::operate, set_hold},
    {Method::post, "/v1/instances/{id}/lease", Scope::operate, set_lease},
    {Method::get, "/v1/instances/{id}/ports", Scope::read, get_ports},
    {Method::post, "/v1/instances/{id}/desktop", Scope::operate, invite_to_desktop},
    {Method::post, "/v1/instances/{id}/egress/test", Scope::operate, test_egress},
    {Method::post, "/v1/instances/{id}/streams", Scope::operate, open_stream},
    {Method::post, "/v1/instances/{id}/exec", Scope::operate, run_exec},
    {Method::get, "/v1/events", Scope::read, stream_events},
    {Method::get, "/v1/crashes", Scope::read, group_crashes},
    {Method::get, "/v1/blackboxes", Scope::read, list_blackboxes},
    {Method::get, "/v1/blackboxes/{box}", Scope::read, get_blackbox},
    {Method::get, "/v1/blackboxes/{box}/archive", Scope::read, export_blackbox},
    {Method::get, "/v1/images", Scope::read, list_images},
    {Method::get, "/v1/images/{reference}", Scope::read, get_image},
    {Method::post, "/v1/images/{reference}/verify", Scope::admin, verify_image},
    {Method::post, "/v1/sessions", Scope::operate, create_session},
    {Method::get, "/v1/sessions", Scope::read, list_sessions},
    {Method::get, "/v1/sessions/{session}", Scope::operate, get_session},
    {Method::get, "/v1/sessions/{session}/events", Scope::operate, stream_session_events},
    {Method::post, "/v1/sessions/{session}/cancel", Scope::operate, cancel_session},
    {Method::post, "/v1/sessions/{session}/heartbeat", Scope::operate, hold_session},
    {Method::post, "/v1/sessions/{session}/token", Scope::operate, create_session_token},
    {Method::get, "/v1/vault", Scope::read, list_vault},
    {Method::get, "/v1/vault/{user}/{provider}", Scope::read, get_vault_entry},
    {Method::del, "/v1/vault/{user}/{provider}", Scope::operate, remove_credential},
    {Method::get, "/v1/vault/{user}/{provider}/credential", Scope::vault_read, reveal_credential},
    {Method::get, "/v1/vault-audit", Scope::read, list_vault_audit},
    {Method::post, "/v1/vault-rotate", Scope::admin, rotate_vault},
    {Method::post, "/api/auth/start", Scope::operate, start_auth},
    {Method::get, "/api/auth/session/{session}", Scope::session, get_auth_session},
    {Method::get, "/api/auth/session/{session}/oauth-url", Scope::session, get_auth_url},
    {Method::get, "/api/auth/session/{session}/credentials/status", Scope::session, get_auth_credentials},
    {Method::post, "/api/auth/session/{session}/heartbeat", Scope::session, hold_auth},
    {Method::post, "/api/auth/session/{session}/cancel", Scope::session, end_auth},
    {Method::post, "/api/auth/credentials/store", Scope::session, store_auth_credentials},
    {Method::del, "/api/vm/auth/{session}", Scope::session, end_auth},
    {Method::get, "/api/auth/session/{session}/vm", Scope::session, get_auth_vm},
    {Method::get, "/api/auth/session/{session}/novnc", Scope::session, find_auth_desktop},
    {Method::get, "/api/auth/credentials/{user}", Scope::read, list_auth_credentials},
    {Method::get, "/api/auth/sessions/{user}", Scope::read, list_auth_sessions},
    {Method::get, "/api/auth/validate/{user}/{provider}", Scope::read, validate_auth},
    {Method::get, "/health", Scope::read, get_old_health},
    {Method::get, "/api/auth/health", Scope::read, get_old_health},
    {Method::get, "/api/debug/ping", Scope::read, answer_ping},
    {Method::get, "/api/vms", Scope::read, list_vms},
    {Method::get, "/api/vms/statistics/summary", Scope::read, count_vms},
    {Method::get, "/api/vms/{id}", Scope::read, get_vm},
    {Method::post, "/api/vms/{id}/heartbeat", Scope::operate, take_vm_heartbeat},
    {Method::get, "/api/vms/{id}/diagnostics", Scope::read, diagnose_vm},
    {Method::get, "/api/admin/vm/{id}/console", Scope::read, get_vm_console},
    {Method::post, "/instances", Scope::operate, start_new_instance},
    {Method::post, "/instances/{id}/run", Scope::operate, run_streamed},
    {Method::get, "/instances/{id}/stream/logs", Scope::read, follow_logs},
    {Method::get, "/instances/{id}/filesystem/{path*}", Scope::operate, get_filesystem},
    {Method::get, "/instances/{id}/ports/{port}/health", Scope::read, get_port_health},
    {Method::get, "/v1/tokens", Scope::admin, list_tokens},
    {Method::post, "/v1/tokens", Scope::admin, create_token},
    {Method::del, "/v1/tokens/{token}", Scope::admin, revoke_token},
    {Method::post, "/v1/images-unused", Scope::admin, collect_images},
};

/// Another owner's instance, and what is left of it, is not there. What nobody knows is the answerer's to tell.
std::optional<http::Response> hidden(const Context& context, const Request& request) {
    if (context.caller.sees_all()) return std::nullopt;
    auto name = request.parameters.contains("id") ? request.parameter("id") : "";
    if (request.parameters.contains("box")) {
        const auto box = blackbox::parse_box_name(request.parameter("box"));
        if (!box) return std::nullopt;
        name = box->instance.value();
    }
    if (name.empty()) return std::nullopt;
    const auto seen = visible_instance(context, name);
    if (!seen) return to_response(seen.error());
    return std::nullopt;
}

void guard(Context context, const Row& row, const Request& request, const Reply& reply) {
    if (row.needs && context.gate != nullptr) {
        auto admitted = context.gate->admit(request);
        if (auto* refusal = std::get_if<http::Response>(&admitted)) return reply.send(std::move(*refusal));
        context.caller = std::move(std::get<access::Caller>(admitted));
        if (auto refusal = context.gate->refuse(context.caller, *row.needs)) {
            if (*row.needs == Scope::vault_read) note_refused_reveal(context, request);
            return reply.send(std::move(*refusal));
        }
        if (auto refusal = hidden(context, request)) return reply.send(std::move(*refusal));
    }
    row.answer(context, request, reply);
}

}  // namespace

std::map<std::string, std::string> route_scopes() {
    std::map<std::string, std::string> scopes;
    for (const auto& row : rows) scopes[std::string(http::to_text(row.method)) + " " + row.pattern] = row.needs ? std::string(vigil::to_text(*row.needs)) : "none";
    return scopes;
}

std::vector<http::Route> make_routes(const Context& context) {
    std::vector<http::Route> routes;
    for (const auto& row : rows)
        routes.push_back({row.method, row.pattern, [context, &row](const Request& request, const Reply& reply) { guard(context, row, request, reply); }});
    return routes;
}

}  // namespace vigil::api
