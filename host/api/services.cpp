#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/to_json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

void get_services(const Context& context, const Request& request, const Reply& reply) {
    const auto look = look_at(context, request);
    reply.send(look ? http::json_response(200, services_json(look->state)) : to_response(look.error()));
}

}  // namespace vigil::api
