#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/to_json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

void get_crashes(const Context& context, const Request& request, const Reply& reply) {
    const auto look = look_at(context, request);
    if (!look) return reply.send(to_response(look.error()));
    auto list = nlohmann::json::array();
    if (look->state.run)
        for (const auto& crash : look->state.run->crashes) list.push_back(to_json(crash, look->state.run->number));
    reply.send(http::json_response(200, list));
}

}  // namespace vigil::api
