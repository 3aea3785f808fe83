// What the answerers share; made by the daemon, outlives the server.
#pragma once

#include "host/api/vm_control.hpp"
#include "host/events/event_bus.hpp"
#include "host/http/router.hpp"
#include "host/streams/relay.hpp"

namespace vigil::egress {
struct Counters;
}

namespace vigil::ports {
class Server;
}

namespace vigil::api {

struct Context {
    VmControl& control;
    const images::ImageStore& images;
    const store::Store& store;
    events::EventBus& bus;
    streams::Relays& relays;
    const ports::Server* ports = nullptr;   // null: none is served
    const egress::Counters* egress = nullptr;
};

/// The table of all routes (routes.cpp).
std::vector<http::Route> make_routes(const Context& context);

/// openapi.yaml, embedded.
std::string_view openapi_document();

}  // namespace vigil::api
