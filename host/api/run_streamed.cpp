// POST /instances/{id}/run: a program in the guest, its output as server-sent events while it runs, its end as the last of them.
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/to_json.hpp"
#include "host/streams/chunk_feed.hpp"
#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"
#include "shared/streams/control.hpp"
#include "shared/streams/opening.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

namespace {

using nlohmann::json;
using streams::Channel;

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

http::StreamEvent event_of(const char* type, const json& data) { return {std::nullopt, type, dump_json(data)}; }

http::StreamEvent output_event(const char* type, const std::string& bytes) {
  const bool is_text = to_valid_utf8(bytes, bytes.size()) == bytes;
  return event_of(type, is_text ? json{{"text", bytes}} : json{{"data_b64", to_base64(bytes)}});
}

class RunSource final : public http::EventSource {
public:
  RunSource(boost::asio::any_io_executor executor, streams::GuestStream stream) : feed_(executor, std::move(stream)) {}

  Result<Batch> next() override {
    Batch batch;
    auto taken = feed_.take();
    if (!taken) {
      batch.events.push_back(event_of("error", {{"code", to_text(taken.error().code())}, {"detail", taken.error().message()}}));
      batch.ended = true;
      return batch;
    }
    for (const auto& chunk : taken->chunks) take(chunk, batch.events);
    batch.ended = taken->over;
    return batch;
  }
  void on_more(std::function<void()> wake) override { feed_.on_more(std::move(wake)); }

private:
  static void take(const streams::Chunk& chunk, std::vector<http::StreamEvent>& events) {
    if (chunk.is_end()) return;
    if (chunk.channel == Channel::out) return events.push_back(output_event("stdout", chunk.bytes));
    if (chunk.channel == Channel::err) return events.push_back(output_event("stderr", chunk.bytes));
    if (chunk.channel != Channel::control) return;
    const auto message = streams::decode_control(chunk.bytes);
    if (!message) return;  // a newer guest's
    if (const auto* const exit = std::get_if<streams::Exit>(&*message)) events.push_back(event_of("exit", exit_json(exit->status)));
    if (const auto* const problem = std::get_if<streams::Problem>(&*message))
      events.push_back(event_of("error", {{"code", to_text(problem->code)}, {"detail", problem->detail}}));
  }

  streams::ChunkFeed feed_;
};

}  // namespace

void run_streamed(const Context& context, const Request& request, const Reply& reply) {
  const auto id = existing_id(context, request);
  if (!id) return reply.send(to_response(id.error()));
  auto opening = opening_of(request.body);
  if (!opening) return reply.send(to_response(opening.error()));
  context.control.open_stream(*id, std::move(*opening), [reply, executor = context.relays.executor()](Result<streams::GuestStream> stream) {
    if (!stream) return reply.send(to_response(stream.error()));
    reply.stream(std::make_unique<RunSource>(executor, std::move(*stream)));
  });
}

}  // namespace vigil::api
