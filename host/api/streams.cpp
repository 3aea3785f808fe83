// A stream into the guest for a client that speaks shared/streams: the request's connection becomes the stream.
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "shared/json/json.hpp"
#include "shared/streams/opening.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace vigil::api {

namespace {

constexpr const char* stream_protocol = "vigil-stream/1";

bool wants_upgrade(const Request& request) { return request.header("upgrade").value_or("") == stream_protocol; }

http::Response upgrade_required() {
    auto response = http::problem_response({426, "invalid", "a stream needs the connection itself",
                                            std::string("send the headers Connection: Upgrade and Upgrade: ") + stream_protocol + "; for a program in one call POST .../exec"});
    response.headers.emplace_back("Upgrade", stream_protocol);
    return response;
}

/// The client's opening, checked here so that its mistakes are its own and not the guest's.
Result<std::string> checked_opening(const std::string& body) {
    TRY(document, parse_json(body));
    if (!document.is_object()) return Error(Errc::invalid, "the body must be a JSON object");
    document.emplace("v", 1);
    TRY(opening, streams::decode_opening(dump_json(document)));
    return streams::encode(opening);
}

}  // namespace

void open_stream(const Context& context, const Request& request, const Reply& reply) {
    const auto id = existing_id(context, request);
    if (!id) return reply.send(to_response(id.error()));
    if (!wants_upgrade(request)) return reply.send(upgrade_required());
    const auto opening = checked_opening(request.body);
    if (!opening) return reply.send(to_response(opening.error()));
    auto opened = [reply, &relays = context.relays, leash = request.leash, id = *id, actor = actor_of(context, request)](Result<streams::GuestStream> stream) {
        if (!stream) return reply.send(to_response(stream.error()));
        spdlog::info("stream.opened vm={} actor=\"{}\"", id.value(), actor);
        auto guest = std::make_shared<streams::GuestStream>(std::move(*stream));   // std::function wants a copyable lambda
        reply.hand_over({stream_protocol, [&relays, guest, leash](UniqueFd client, std::string sent) { relays.join(std::move(client), std::move(sent), std::move(*guest), leash); }});
    };
    context.control.open_stream(*id, *opening, std::move(opened));
}

}  // namespace vigil::api
