#include "host/api/answers.hpp"
#include "host/api/to_json.hpp"
#include "host/api/traffic_metrics.hpp"
#include "host/ports/server.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

using nlohmann::json;

void get_health(const Context&, const Request&, const Reply& reply) {
    reply.send(http::json_response(200, json{{"ok", true}, {"version", VIGIL_VERSION}}));
}

void get_metrics(const Context& context, const Request&, const Reply& reply) {
    std::string text = context.control.metrics();
    if (context.ports != nullptr) text += port_metrics(context.ports->counters());
    if (context.egress != nullptr) text += egress_metrics(*context.egress);
    reply.send({200, "text/plain; version=0.0.4; charset=utf-8", std::move(text), {}});
}

void get_openapi(const Context&, const Request&, const Reply& reply) {
    reply.send({200, "application/yaml", std::string(openapi_document()), {}});
}

void get_daemon(const Context& context, const Request&, const Reply& reply) {
    const auto facts = context.control.facts();
    json body = {{"version", VIGIL_VERSION},
                       {"state_dir", facts.state_dir},
                       {"run_dir", facts.run_dir},
                       {"pid", facts.pid},
                       {"accelerator", {{"name", vigil::to_text(facts.accelerator)}, {"why", facts.accelerator_why}}},
                       {"started_unix_us", facts.started_unix_us},
                       {"vsock_device", facts.vsock_device.empty() ? json(nullptr) : json(facts.vsock_device)}};
    body["vmms"] = json::array();
    for (const auto& vmm : facts.vmms)
        body["vmms"].push_back({{"name", vmm.name}, {"version", vmm.version.empty() ? json(nullptr) : json(vmm.version)},
                                {"problem", vmm.problem.empty() ? json(nullptr) : json(vmm.problem)}, {"preferred", vmm.preferred}});
    if (context.egress != nullptr) body["egress"] = egress_json(*context.egress);
    if (context.ports != nullptr) body["ports"] = ports_json(*context.ports);
    if (context.desktops != nullptr) body["desktop"] = desktop_json(*context.desktops);
    reply.send(http::json_response(200, body));
}

}  // namespace vigil::api
