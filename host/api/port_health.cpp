// GET /instances/{id}/ports/{port}/health: whether a port can be reached now, from what its VM has reported. Nobody is dialled.
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/ports/judge.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace vigil::api {

namespace {

using nlohmann::json;

Result<ports::Wanted> wanted_of(const std::string& text) {
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure == std::errc() && end == text.data() + text.size() && port != 0) return ports::Wanted{port, ""};
  if (std::ranges::all_of(text, [](char each) { return each >= '0' && each <= '9'; }))
    return Error(Errc::invalid, "port: " + text.substr(0, 20) + " is not 1 to 65535");
  TRY(service, parse_service_name(text));
  return ports::Wanted{std::nullopt, service.value()};
}

/// Reachable as far as VM and service go; then somebody must listen, too.
json health_of(const machine::VmState& state, const ports::Wanted& wanted) {
  json out = {{"healthy", false},
              {"port", wanted.port ? json(*wanted.port) : json(nullptr)},
              {"service", wanted.service.empty() ? json(nullptr) : json(wanted.service)},
              {"code", nullptr},
              {"detail", ""}};
  const auto judged = ports::judge(state, wanted);
  if (const auto* const refusal = std::get_if<ports::Refusal>(&judged)) {
    out["code"] = refusal->code;
    out["detail"] = refusal->title + ": " + refusal->detail;
    return out;
  }
  if (const auto* const wait = std::get_if<ports::Wait>(&judged)) {
    out["code"] = "port.not_ready";
    out["detail"] = "it waits for " + wait->what;
    return out;
  }
  const auto port = std::get<ports::Go>(judged).port;
  out["port"] = port;
  const auto known = ports::known_ports(*state.run);
  const auto found = std::ranges::find(known, port, &ports::KnownPort::port);
  if (found != known.end() && !found->service.empty()) out["service"] = found->service;
  const bool is_ready = found != known.end() && (found->state == "ready" || !found->addresses.empty());
  out["healthy"] = is_ready;
  if (is_ready) return out;
  out["code"] = "port.not_reached";
  out["detail"] = "nothing in the VM listens on port " + std::to_string(port) + " (vigil ports shows all)";
  return out;
}

}  // namespace

void get_port_health(const Context& context, const Request& request, const Reply& reply) {
  const auto look = look_at(context, request);
  if (!look) return reply.send(to_response(look.error()));
  const auto wanted = wanted_of(request.parameter("port"));
  if (!wanted) return reply.send(to_response(wanted.error()));
  const auto health = health_of(look->state, *wanted);
  reply.send(http::json_response(health["healthy"] == true ? 200 : 503, health));
}

}  // namespace vigil::api
