// How a browser is let in to the desktop of a VM; what the daemon counts of desktops.
#include "host/desktop/server.hpp"

#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/to_json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

using nlohmann::json;

void invite_to_desktop(const Context& context, const Request& request, const Reply& reply) {
  const auto id = existing_id(context, request);
  if (!id) return reply.send(to_response(id.error()));
  if (context.desktops == nullptr) return reply.send(to_response(Error(Errc::unavailable, "this daemon serves no desktops")));
  const auto invitation = context.desktops->invite(*id);
  if (!invitation) return reply.send(to_response(invitation.error()));
  auto response = http::json_response(200, {{"url", invitation->url},
                                            {"valid_s", invitation->life.count()},
                                            {"novnc", context.desktops->has_novnc()},
                                            {"view", desktop::view_json(invitation->view)}});
  response.headers.emplace_back("Cache-Control", "no-store");
  reply.send(std::move(response));
}

json desktop_json(const desktop::Server& server) {
  const auto& counters = server.counters();
  return {{"listen", server.address().empty() ? json(nullptr) : json(server.address())},
          {"novnc", server.has_novnc()},
          {"attached", counters.attached},
          {"open", counters.open},
          {"parting", counters.parting},
          {"turned_away", counters.turned_away},
          {"left", counters.left},
          {"closed", counters.closed},
          {"bytes_to_browser", counters.bytes_to_browser},
          {"bytes_to_guest", counters.bytes_to_guest}};
}

}  // namespace vigil::api
