#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"

namespace vigil::api {

void get_console(const Context& context, const Request& request, const Reply& reply) {
    const auto look = look_at(context, request);
    if (!look) return reply.send(to_response(look.error()));
    if (!look->state.run) return reply.send({200, "application/octet-stream", "", {}});
    auto bytes = context.control.console(look->row.id, look->state.run->number);
    if (!bytes) return reply.send(to_response(bytes.error()));
    reply.send({200, "application/octet-stream", std::move(*bytes), {}});
}

}  // namespace vigil::api
