// What came to ports inside VMs and what left them, for Prometheus: by outcome, a refusal by its cause.
#include "host/api/traffic_metrics.hpp"
#include "host/egress/counters.hpp"
#include "host/metrics/exposition.hpp"
#include "host/ports/counters.hpp"

namespace vigil::api {

using metrics::Exposition;
using metrics::Kind;

namespace {

double number(std::uint64_t value) { return static_cast<double>(value); }

void write_refusals(Exposition& out, const std::map<std::string, std::uint64_t>& refused) {
    for (const auto& [code, count] : refused) out.sample(number(count), {{"outcome", "refused"}, {"cause", code}});
}

}  // namespace

std::string port_metrics(const ports::Counters& counters) {
    Exposition out;
    out.family("vigil_port_requests_total", Kind::counter, "Requests to ports inside VMs, by what became of them; a refusal by its cause.");
    out.sample(number(counters.served), {{"outcome", "served"}});
    out.sample(number(counters.client_left), {{"outcome", "client_left"}});
    out.sample(number(counters.guest_broke_off), {{"outcome", "guest_broke_off"}});
    out.sample(number(counters.stalled), {{"outcome", "stalled"}});
    write_refusals(out, counters.refused);
    out.family("vigil_port_upgrades_total", Kind::counter, "Of the served ones: became a tunnel, and that has ended.");
    out.sample(number(counters.upgraded));
    out.family("vigil_port_waits_total", Kind::counter, "Requests that came before their service was ready, whatever became of them.");
    out.sample(number(counters.waited));
    out.family("vigil_port_wait_seconds_total", Kind::counter, "All their waits together.");
    out.sample(number(counters.waited_ms) / 1000);
    out.family("vigil_port_connections_turned_away_total", Kind::counter, "Connections over the limit, and half-open ones closed for newer.");
    out.sample(number(counters.turned_away));
    out.family("vigil_port_bytes_total", Kind::counter, "Bodies and tunnels.");
    out.sample(number(counters.bytes_to_guest), {{"direction", "to_guest"}});
    out.sample(number(counters.bytes_to_client), {{"direction", "to_client"}});
    out.family("vigil_port_connections", Kind::gauge, "Open now.");
    out.sample(number(counters.open_connections));
    out.family("vigil_port_tunnels", Kind::gauge, "Open now.");
    out.sample(number(counters.open_tunnels));
    return out.take();
}

std::string egress_metrics(const egress::Counters& counters) {
    Exposition out;
    out.family("vigil_egress_connections_total", Kind::counter, "Connections out of VMs, by what became of them; a refusal by its cause.");
    out.sample(number(counters.passed), {{"outcome", "passed"}});
    out.sample(number(counters.strangers), {{"outcome", "stranger"}});
    write_refusals(out, counters.refused);
    out.family("vigil_egress_bytes_total", Kind::counter, "Through them.");
    out.sample(number(counters.bytes_out), {{"direction", "out"}});
    out.sample(number(counters.bytes_in), {{"direction", "in"}});
    out.family("vigil_egress_connections", Kind::gauge, "Open now.");
    out.sample(number(counters.open));
    return out.take();
}

}  // namespace vigil::api
