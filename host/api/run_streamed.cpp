// POST /instances/{id}/run: a program in the guest, its output as server-sent events while it runs, its end as the last of them.
#include "host/api/error_to_http.hpp"
#include "host/api/program_events.hpp"
#include "host/api/request_reading.hpp"
#include "shared/json/json.hpp"
#include "shared/streams/opening.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

namespace {

using nlohmann::json;

/// {"command": "npm test"} goes to the guest's shell, {"command": ["npm", "test"]} to nobody.
Result<std::string> opening_of(const std::string& body) {
  TRY(order, parse_json(body));
  if (!order.is_object()) return Error(Errc::invalid, "the body must be a JSON object");
  TRY_VOID(refuse_unknown_keys(order, {"command", "env", "cwd", "user"}));
  const auto command = order.find("command");
  if (command == order.end()) return Error(Errc::invalid, "command: missing; a shell command, or a list of program and arguments");
  if (command->is_string())
    order["argv"] = {"/bin/sh", "-c", command->get<std::string>()};
  else
    order["argv"] = *command;
  order.erase("command");
  order["v"] = 1;
  order["op"] = "exec";
  order["stdin"] = false;
  TRY(opening, streams::decode_opening(dump_json(order)));
  if (std::get<streams::ExecOpening>(opening).argv.empty()) return Error(Errc::invalid, "command: no program is named");
  return streams::encode(opening);
}

}  // namespace

void run_streamed(const Context& context, const Request& request, const Reply& reply) {
  const auto id = existing_id(context, request);
  if (!id) return reply.send(to_response(id.error()));
  auto opening = opening_of(request.body);
  if (!opening) return reply.send(to_response(opening.error()));
  tell_program(context, *id, std::move(*opening), {}, reply);
}

}  // namespace vigil::api
