// The agent of a VM, replaced while it runs. What the new one is lies in the VM already: the caller has sent it by a file stream.
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

namespace {

using nlohmann::json;

// The new agent is tried, and answers when it has stood ten seconds; within this API's own limit for an answer.
constexpr std::chrono::milliseconds upgrade_deadline{170'000};

/// The agent checks both; here only their kinds.
Result<json> parse_replacement(const std::string& body) {
  TRY(order, parse_json(body));
  TRY_VOID(refuse_unknown_keys(order, {"path", "sha256"}));
  TRY(path, read_string(order, "path", 256));
  TRY(sha256, read_string(order, "sha256", 64));
  return json{{"path", path}, {"sha256", sha256}};
}

}  // namespace

void replace_agent(const Context& context, const Request& request, const Reply& reply) {
  const auto id = existing_id(context, request);
  if (!id) return reply.send(to_response(id.error()));
  const auto args = parse_replacement(request.body);
  if (!args) return reply.send(to_response(args.error()));
  context.control.ask_guest(*id, {"upgrade", args->dump(), upgrade_deadline}, [reply](const Result<std::string>& answer) {
    if (!answer) return reply.send(to_response(answer.error()));
    const auto outcome = parse_json(*answer);
    reply.send(outcome ? http::json_response(200, *outcome) : to_response(outcome.error()));
  });
}

}  // namespace vigil::api
