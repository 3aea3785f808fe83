#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/to_json.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

namespace {

using nlohmann::json;

/// What the agent is to be asked; it checks the service, and whether it can be reloaded.
Result<json> parse_service_order(const std::string& service, const std::string& body) {
    TRY(order, parse_json(body.empty() ? "{}" : body));
    TRY_VOID(refuse_unknown_keys(order, {"action", "signal"}));
    TRY(action, read_string(order, "action", 16));
    json args = {{"name", service}, {"action", action}};
    if (action == "signal") {
        TRY(signal, read_string(order, "signal", 16));
        args["signal"] = signal;
    } else if (action != "start" && action != "stop" && action != "restart" && action != "reload") {
        return Error(Errc::invalid, "action: start, stop, restart, reload or signal, not " + action);
    }
    return args;
}

}  // namespace

void control_service(const Context& context, const Request& request, const Reply& reply) {
    const auto id = existing_id(context, request);
    if (!id) return reply.send(to_response(id.error()));
    const auto args = parse_service_order(request.parameter("service"), request.body);
    if (!args) return reply.send(to_response(args.error()));
    context.control.ask_guest(*id, {"service", args->dump()}, [reply, asked = *args](const Result<std::string>& answer) {
        reply.send(answer ? http::json_response(202, asked) : to_response(answer.error()));
    });
}

void get_services(const Context& context, const Request& request, const Reply& reply) {
    const auto look = look_at(context, request);
    reply.send(look ? http::json_response(200, services_json(look->state)) : to_response(look.error()));
}

}  // namespace vigil::api
