// The table of all routes. A row here needs its path in openapi.yaml; a test compares the two.
#include "host/api/answers.hpp"

namespace vigil::api {

namespace {

using http::Method;

struct Row {
    Method method;
    const char* pattern;
    void (*answer)(const Context&, const Request&, const Reply&);
};

constexpr Row rows[] = {
    {Method::get, "/healthz", get_health},
    {Method::get, "/openapi.yaml", get_openapi},
    {Method::get, "/metrics", get_metrics},
    {Method::get, "/v1/daemon", get_daemon},
    {Method::post, "/v1/instances", create_instance},
    {Method::get, "/v1/instances", list_instances},
    {Method::get, "/v1/instances/{id}", get_instance},
    {Method::del, "/v1/instances/{id}", remove_instance},
    {Method::post, "/v1/instances/{id}/start", start_instance},
    {Method::post, "/v1/instances/{id}/stop", stop_instance},
    {Method::get, "/v1/instances/{id}/timeline", get_timeline},
    {Method::get, "/v1/instances/{id}/services", get_services},
    {Method::post, "/v1/instances/{id}/services/{service}", control_service},
    {Method::get, "/v1/instances/{id}/crashes", get_crashes},
    {Method::get, "/v1/instances/{id}/console", get_console},
    {Method::get, "/v1/instances/{id}/logs", stream_logs},
    {Method::get, "/v1/instances/{id}/logs/{service}", get_logs},
    {Method::get, "/v1/instances/{id}/why", get_why},
    {Method::get, "/v1/instances/{id}/ports", get_ports},
    {Method::post, "/v1/instances/{id}/egress/test", test_egress},
    {Method::post, "/v1/instances/{id}/streams", open_stream},
    {Method::post, "/v1/instances/{id}/exec", run_exec},
    {Method::get, "/v1/events", stream_events},
    {Method::get, "/v1/crashes", group_crashes},
    {Method::get, "/v1/blackboxes", list_blackboxes},
    {Method::get, "/v1/blackboxes/{box}", get_blackbox},
    {Method::get, "/v1/blackboxes/{box}/archive", export_blackbox},
    {Method::get, "/v1/images", list_images},
    {Method::get, "/v1/images/{reference}", get_image},
    {Method::post, "/v1/images/{reference}/verify", verify_image},
    {Method::post, "/v1/images-unused", collect_images},
};

}  // namespace

std::vector<http::Route> make_routes(const Context& context) {
    std::vector<http::Route> routes;
    for (const auto& row : rows)
        routes.push_back({row.method, row.pattern, [context, answer = row.answer](const Request& request, const Reply& reply) { answer(context, request, reply); }});
    return routes;
}

}  // namespace vigil::api
