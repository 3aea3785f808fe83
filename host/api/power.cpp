#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/to_json.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

namespace {

constexpr std::int64_t max_grace_s = 3600;

struct StopOrder {
    machine::StopKind kind = machine::StopKind::stop;
    std::optional<std::chrono::milliseconds> grace;
};

Result<StopOrder> parse_stop(const std::string& body) {
    StopOrder order;
    if (body.empty()) return order;
    TRY(json, parse_json(body));
    TRY_VOID(refuse_unknown_keys(json, {"grace_s", "kill", "reboot"}));
    TRY(grace, try_read_integer(json, "grace_s", 0, max_grace_s));
    TRY(kill, try_read_bool(json, "kill"));
    TRY(reboot, try_read_bool(json, "reboot"));
    if (kill.value_or(false) && reboot.value_or(false)) return Error(Errc::invalid, "kill and reboot exclude each other");
    if (grace) order.grace = std::chrono::seconds(*grace);
    if (kill.value_or(false)) order.kind = machine::StopKind::kill;
    if (reboot.value_or(false)) order.kind = machine::StopKind::reboot;
    return order;
}

void answer_with_instance(const Context& context, const InstanceId& id, const Reply& reply) {
    const auto look = context.control.look(id.value(), std::nullopt);
    reply.send(look ? http::json_response(202, instance_json(*look)) : to_response(look.error()));
}

Result<InstanceId> stop(const Context& context, const Request& request) {
    TRY(id, existing_id(context, request));
    TRY(order, parse_stop(request.body));
    TRY_VOID(context.control.stop(id, order.kind, order.grace, actor_of(context, request)));
    return id;
}

}  // namespace

void start_instance(const Context& context, const Request& request, const Reply& reply) {
    const auto id = existing_id(context, request);
    if (!id) return reply.send(to_response(id.error()));
    const auto started = context.control.start(*id, actor_of(context, request));
    if (!started) return reply.send(to_response(started.error()));
    answer_with_instance(context, *id, reply);
}

void stop_instance(const Context& context, const Request& request, const Reply& reply) {
    const auto id = stop(context, request);
    if (!id) return reply.send(to_response(id.error()));
    answer_with_instance(context, *id, reply);
}

}  // namespace vigil::api
