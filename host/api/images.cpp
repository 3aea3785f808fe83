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

void collect_images(const Context& context, const Request& request, const Reply& reply) {
    const auto only_look = flag_of(request, "dry_run");
    if (!only_look) return reply.send(to_response(only_look.error()));
    const auto how = *only_look ? images::Collect::only_look : images::Collect::set_aside;
    context.control.collect_images(how, [reply, how](Result<images::Collection> collected) {
        if (!collected) return reply.send(to_response(collected.error()));
        auto unused = json::array();
        for (const auto& image : collected->unused) unused.push_back({{"name", image.name}, {"digest", image.digest}, {"bytes", image.bytes}});
        reply.send(http::json_response(200, {{"removed", how == images::Collect::set_aside}, {"images", unused}, {"busy", collected->busy}}));
    });
}

}  // namespace vigil::api
