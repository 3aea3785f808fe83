#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/to_json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

using nlohmann::json;

void get_why(const Context& context, const Request& request, const Reply& reply) {
    const auto look = look_at(context, request);
    if (!look) return reply.send(to_response(look.error()));
    const auto verdict = verdict::classify(look->state, look->console_tail);
    json out = {{"state", vigil::to_text(verdict.state)}, {"summary", verdict.summary}, {"also", json::array()}};
    out["run"] = look->state.run ? look->state.run->number.value() : 0;
    out["outcome"] = verdict.outcome ? json(vigil::to_text(*verdict.outcome)) : json(nullptr);
    out["verdict"] = verdict.main ? to_json(*verdict.main) : json(nullptr);
    for (const auto& finding : verdict.also) out["also"].push_back(to_json(finding));
    reply.send(http::json_response(200, out));
}

}  // namespace vigil::api
