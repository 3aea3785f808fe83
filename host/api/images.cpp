#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

using nlohmann::json;

void list_images(const Context& context, const Request&, const Reply& reply) {
    auto list = json::array();
    for (const auto& image : context.images.list().images) {
        const auto& manifest = image.manifest;
        list.push_back({{"name", image.name},
                        {"digest", image.digest},
                        {"current", image.current},
                        {"created_unix", manifest.created_unix},
                        {"bytes", image.bytes()},
                        {"kernel", manifest.kernel_version},
                        {"agent", manifest.agent_version},
                        {"init", manifest.init},
                        {"services", manifest.services}});
    }
    reply.send(http::json_response(200, list));
}

void get_image(const Context& context, const Request& request, const Reply& reply) {
    auto image = context.images.resolve(request.parameter("reference"));
    if (!image) return reply.send(to_response(image.error()));
    http::Response response{200, "application/json", std::move(image->manifest.json), {}};
    response.headers.emplace_back("X-Vigil-Digest", image->digest);
    reply.send(std::move(response));
}

void verify_image(const Context& context, const Request& request, const Reply& reply) {
    auto image = context.images.resolve(request.parameter("reference"));
    if (!image) return reply.send(to_response(image.error()));
    const json good = {{"ok", true}, {"name", image->name}, {"digest", image->digest}};
    context.control.verify_image(std::move(*image), [reply, good](Result<void> verified) {
        reply.send(verified ? http::json_response(200, good) : to_response(verified.error()));
    });
}

}  // namespace vigil::api
