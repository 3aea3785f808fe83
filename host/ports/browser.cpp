#include "host/ports/browser.hpp"

namespace vigil::ports {

namespace {

std::string field_of(const http1::RequestHead& head, std::string_view name) {
    const auto found = http1::single_field(head.fields, name);
    return found ? found->value_or("") : "?";   // two of them: nothing that is allowed
}

bool is_ours(const std::string& name) { return name == "localhost" || name == "127.0.0.1" || name == "[::1]" || name.ends_with(".localhost"); }

Refusal forbidden(const std::string& detail) { return {403, "denied", "a web page may not ask this", detail, ""}; }

}  // namespace

std::optional<Refusal> browser_may_not(const http1::RequestHead& head, const Address& address, const std::string& door_port) {
    const auto host = field_of(head, "host");
    const auto name = host_name_of(host);
    if (!name || !is_ours(*name))
        return Refusal{421, "denied", "this address does not serve that host", "ask for localhost, 127.0.0.1 or PORT--VM.localhost, not for " + host, ""};
    const auto origin = field_of(head, "origin"), site = field_of(head, "sec-fetch-site"), mode = field_of(head, "sec-fetch-mode");
    const bool is_browser = !origin.empty() || !site.empty();
    if (!is_browser) return std::nullopt;
    const bool navigates = mode == "navigate" && (head.method == "GET" || head.method == "HEAD");
    if (!address.prefix.empty()) {
        if (!navigates) return forbidden("pages are served by host, each port an origin of its own: " + address.wanted.text() + "--" + address.vm + ".localhost");
        return Refusal{307, "moved", "pages are served by host", "each port is an origin of its own",
                       "http://" + address.wanted.text() + "--" + address.vm + ".localhost:" + door_port + address.target};
    }
    if (!origin.empty() && !http1::equals_ignoring_case(origin, "http://" + host)) return forbidden("its origin is " + origin + ", this is http://" + host);
    const bool foreign = site == "cross-site" || site == "same-site" || site == "?";
    if (foreign && !navigates) return forbidden("it comes from another site (Sec-Fetch-Site: " + site + ")");
    return std::nullopt;
}

}  // namespace vigil::ports
