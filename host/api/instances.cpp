#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/to_json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

namespace {

Result<InstanceId> create(const Context& context, const Request& request) {
    TRY(start, flag_of(request, "start"));
    TRY(spec, machine::parse_spec(request.body));
    const auto actor = actor_of(request);
    TRY(id, context.control.create(spec, actor));
    if (!start) return id;
    if (const auto started = context.control.start(id, actor); !started) return started.error();
    return id;
}

}  // namespace

void create_instance(const Context& context, const Request& request, const Reply& reply) {
    const auto id = create(context, request);
    if (!id) return reply.send(to_response(id.error()));
    const auto look = context.control.look(id->value(), std::nullopt);
    if (!look) return reply.send(to_response(look.error()));
    auto response = http::json_response(201, instance_json(*look));
    response.headers.emplace_back("Location", "/v1/instances/" + id->value());
    reply.send(std::move(response));
}

void list_instances(const Context& context, const Request&, const Reply& reply) {
    auto list = nlohmann::json::array();
    for (const auto& look : context.control.existing()) list.push_back(instance_json(look));
    reply.send(http::json_response(200, list));
}

void get_instance(const Context& context, const Request& request, const Reply& reply) {
    const auto look = look_at(context, request);
    reply.send(look ? http::json_response(200, instance_json(*look)) : to_response(look.error()));
}

void remove_instance(const Context& context, const Request& request, const Reply& reply) {
    const auto force = flag_of(request, "force");
    const auto id = existing_id(context, request);
    if (!force) return reply.send(to_response(force.error()));
    if (!id) return reply.send(to_response(id.error()));
    context.control.remove(*id, *force ? Removal::kill_first : Removal::only_when_stopped, actor_of(request), [reply](Result<void> removed) {
        reply.send(removed ? http::empty_response(204) : to_response(removed.error()));
    });
}

}  // namespace vigil::api
