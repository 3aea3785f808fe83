// What the answerers share; made by the daemon, outlives the server.
#pragma once

#include "host/access/gate.hpp"
#include "host/api/event_texts.hpp"
#include "host/api/vm_control.hpp"
#include "host/events/event_bus.hpp"
#include "host/http/router.hpp"
#include "host/streams/relay.hpp"

#include <map>
#include <memory>
#include <string>

namespace vigil::desktop {
class Server;
}

namespace vigil::egress {
struct Counters;
}

namespace vigil::ports {
class Server;
}

namespace vigil::sessions {
class Sessions;
}

namespace vigil::vault {
class Vault;
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
    access::Gate* gate = nullptr;            // null: everybody is the local admin (tests)
    store::Store* tokens = nullptr;          // where tokens are written; null: nowhere
    sessions::Sessions* sessions = nullptr;  // null: none are kept
    vault::Vault* vault = nullptr;
    desktop::Server* desktops = nullptr;     // null: none are served
    std::shared_ptr<EventTexts> event_texts = std::make_shared<EventTexts>();
    access::Caller caller{"", {access::Scope::admin}, ""};   // of the request at hand
};

/// The table of all routes (routes.cpp).
std::vector<http::Route> make_routes(const Context& context);

/// "GET /v1/instances" and the scope it needs; "none": nobody has to say who he is.
std::map<std::string, std::string> route_scopes();

/// openapi.yaml, embedded.
std::string_view openapi_document();

}  // namespace vigil::api
