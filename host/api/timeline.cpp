#include "host/machine/timeline.hpp"

#include "host/api/error_to_http.hpp"
#include "host/api/or_null.hpp"
#include "host/api/request_reading.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

using nlohmann::json;

namespace {

json to_json(const machine::TimelineStage& stage) {
    json out = {{"stage", vigil::to_text(stage.stage)},       {"state", vigil::to_text(stage.progress)},
                {"guest_us", or_null(stage.guest_us)},        {"host_unix_us", or_null(stage.host_unix_us)},
                {"since_start_ms", or_null(stage.since_start_ms)}, {"took_ms", or_null(stage.took_ms)},
                {"detail", stage.detail}};
    if (stage.stage != protocol::Stage::services) return out;
    out["services"] = json::array();
    for (const auto& service : stage.services)
        out["services"].push_back({{"name", service.name.value()}, {"state", vigil::to_text(service.state)}, {"ready_after_ms", or_null(service.ready_after_ms)}});
    return out;
}

}  // namespace

void get_timeline(const Context& context, const Request& request, const Reply& reply) {
    const auto look = look_at(context, request);
    if (!look) return reply.send(to_response(look.error()));
    json out = {{"run", 0}, {"accelerator", nullptr}, {"started_unix_us", nullptr}, {"stages", json::array()}};
    if (const auto& run = look->state.run) {
        out["run"] = run->number.value();
        out["started_unix_us"] = run->started_unix_us;
        if (run->accelerator) out["accelerator"] = vigil::to_text(*run->accelerator);
        for (const auto& stage : machine::timeline(*run)) out["stages"].push_back(to_json(stage));
    }
    reply.send(http::json_response(200, out));
}

}  // namespace vigil::api
