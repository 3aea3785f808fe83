#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/to_json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

void get_why(const Context& context, const Request& request, const Reply& reply) {
    const auto look = look_at(context, request);
    if (!look) return reply.send(to_response(look.error()));
    reply.send(http::json_response(200, why_json(look->state, look->console_tail)));
}

}  // namespace vigil::api
