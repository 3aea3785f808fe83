// A service's output as far as it is known: the tails of its crash reports. Whole logs are not spooled yet.
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"

namespace vigil::api {

namespace {

std::string known_output(const machine::Run& run, const std::string& service) {
    std::string out;
    for (const auto& record : run.crashes) {
        const auto& crash = record.report;
        if (crash.service != service || (crash.stdout_tail.empty() && crash.stderr_tail.empty())) continue;
        out += "[vigil: " + crash.process + " pid " + std::to_string(crash.pid) + ", " + protocol::to_text(crash.exit) + "]\n";
        out += crash.stdout_tail + crash.stderr_tail;
        if (out.back() != '\n') out += '\n';
    }
    return out;
}

}  // namespace

void get_logs(const Context& context, const Request& request, const Reply& reply) {
    const auto look = look_at(context, request);
    if (!look) return reply.send(to_response(look.error()));
    const auto& service = request.parameter("service");
    const auto& run = look->state.run;
    if (!run || !run->services.contains(ServiceName(service)))
        return reply.send(to_response(Error(Errc::not_found, "run " + std::to_string(run ? run->number.value() : 0) + " has no service " + service)));
    auto bytes = known_output(*run, service);
    if (bytes.empty()) return reply.send(to_response(Error(Errc::unsupported, "service logs not spooled yet; crash reports hold the last output")));
    reply.send({200, "application/octet-stream", std::move(bytes), {}});
}

}  // namespace vigil::api
