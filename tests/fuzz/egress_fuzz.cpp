// What a program in a VM asks of the proxy, and what the agent says before: one destination, never in disguise; nothing of one request gets into the next.
#include "host/egress/judge.hpp"
#include "host/egress/tls_watch.hpp"
#include "shared/streams/egress.hpp"
#include "tests/fuzz/require.hpp"

#include <arpa/inet.h>

#include <cstdint>

using namespace vigil;
using namespace vigil::egress;
using vigil::fuzz::require;

namespace {

void look_at(const ProxyRequest& request) {
    const auto& to = request.destination;
    require(to.port != 0 && !to.host.empty(), "a destination has a host and a port");
    require(to.host.find_first_of("@/\\?#%[] \r\n\t") == std::string::npos, "a host is nothing but a host");
    in_addr in{};
    if (!to.address) require(::inet_aton(to.host.c_str(), &in) == 0, "a name that the resolver takes for an address");
    else require(to.address->text() == to.host, "an address is written in one way");
    const auto again = parse_destination(to.text(), 0);
    require(again && *again == to, "a destination comes back");
    machine::EgressPolicy direct;
    direct.mode = machine::EgressMode::direct;
    if (to.address && !may_not_go(direct, to)) require(!special_kind(*to.address), "an address that is not public is let through");
    if (request.tunnel) return;
    require(request.onward.method != "TRACE", "an answer may show an upstream's credentials");
    const auto head = http1::parse_request_head(http1::to_text(request.onward));
    if (!head) return require(request.onward.fields.size() > http1::max_fields, "what goes to the origin is no head");
    require(head->target.starts_with('/'), "the origin is asked for a path");
    const auto host = http1::single_field(head->fields, "host");
    require(host && *host, "the origin is told one host");
    const auto named = parse_destination(**host, 80);
    require(named && *named == to, "the origin is told another host than the one that was judged");
    const auto framing = http1::request_framing(*head);
    require(framing && *framing == request.framing, "the origin sees another body than we do");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto hello = streams::decode_egress_hello(bytes)) require(*streams::decode_egress_hello(streams::encode(*hello)) == *hello, "a hello comes back");
    TlsWatch whole, cut;
    whole.from_client(bytes);
    for (const auto& byte : bytes) cut.from_client({&byte, 1});
    whole.from_server(bytes);
    for (const auto& byte : bytes) cut.from_server({&byte, 1});
    require(whole.failure() == cut.failure(), "the cuts of the reads decide whether TLS failed");
    const auto end = http1::head_size(bytes);
    if (!end || !*end) return 0;
    const auto head = http1::parse_request_head(bytes.substr(0, **end));
    if (!head) return 0;
    if (const auto request = read_proxy_request(*head)) look_at(*request);
    return 0;
}
