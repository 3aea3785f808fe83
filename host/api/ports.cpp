// Which ports a VM has, and where they are reached; what the daemon counts of ports and egress.
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/to_json.hpp"
#include "host/egress/counters.hpp"
#include "host/ports/judge.hpp"
#include "host/ports/server.hpp"

#include <nlohmann/json.hpp>


namespace vigil::api {

namespace {

using nlohmann::json;

/// A name that can stand in a host: no dots, no underscores, and no "--", which parts it from the VM's.
bool is_label(const std::string& text) { return text.find_first_of("._") == std::string::npos && text.find("--") == std::string::npos; }

json port_json(const ports::KnownPort& port, const Look& look, const ports::Server* server) {
    const auto text_or_null = [](const std::string& text) { return text.empty() ? json(nullptr) : json(text); };
    json out = {{"port", port.port},
                {"service", text_or_null(port.service)},
                {"state", text_or_null(port.state)},
                {"process", text_or_null(port.process)},
                {"pid", port.pid == 0 ? json(nullptr) : json(port.pid)},
                {"addresses", port.addresses},
                {"path", "/v1/instances/" + look.row.id.value() + "/ports/" + std::to_string(port.port) + "/"},
                {"url", nullptr}};
    if (server == nullptr || server->tcp_address().empty()) return out;
    const auto door = server->tcp_address();
    const auto name = is_label(port.service) && !port.service.empty() ? port.service : std::to_string(port.port);
    out["url"] = "http://" + name + "--" + look.row.name.value() + ".localhost" + door.substr(door.rfind(':')) + "/";
    return out;
}

}  // namespace

void get_ports(const Context& context, const Request& request, const Reply& reply) {
    const auto look = look_at(context, request);
    if (!look) return reply.send(to_response(look.error()));
    json list = json::array();
    if (look->state.run)
        for (const auto& port : ports::known_ports(*look->state.run)) list.push_back(port_json(port, *look, context.ports));
    reply.send(http::json_response(200, list));
}

json ports_json(const ports::Server& server) {
    const auto& counters = server.counters();
    return {{"socket", server.socket_path()},
            {"listen", server.tcp_address().empty() ? json(nullptr) : json(server.tcp_address())},
            {"served", counters.served},
            {"upgraded", counters.upgraded},
            {"waited", counters.waited},
            {"waited_ms", counters.waited_ms},
            {"waited_ms_max", counters.waited_ms_max},
            {"refused", counters.refused},
            {"client_left", counters.client_left},
            {"guest_broke_off", counters.guest_broke_off},
            {"stalled", counters.stalled},
            {"turned_away", counters.turned_away},
            {"bytes_to_guest", counters.bytes_to_guest},
            {"bytes_to_client", counters.bytes_to_client},
            {"open_connections", counters.open_connections},
            {"open_tunnels", counters.open_tunnels}};
}

json egress_json(const egress::Counters& counters) {
    return {{"passed", counters.passed},       {"refused", counters.refused}, {"strangers", counters.strangers},
            {"bytes_out", counters.bytes_out}, {"bytes_in", counters.bytes_in}, {"open", counters.open}};
}

}  // namespace vigil::api
