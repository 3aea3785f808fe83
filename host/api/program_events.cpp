// The chunks of an exec as server-sent events.
#include "host/api/program_events.hpp"

#include "host/api/error_to_http.hpp"
#include "host/api/to_json.hpp"
#include "host/streams/chunk_feed.hpp"
#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"
#include "shared/streams/control.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

namespace {

using nlohmann::json;
using streams::Channel;

http::StreamEvent event_of(const char* type, const json& data) { return {std::nullopt, type, dump_json(data)}; }

http::StreamEvent output_event(const char* type, const std::string& bytes) {
  const bool is_text = to_valid_utf8(bytes, bytes.size()) == bytes;
  return event_of(type, is_text ? json{{"text", bytes}} : json{{"data_b64", to_base64(bytes)}});
}

class ProgramEvents final : public http::EventSource {
public:
  ProgramEvents(boost::asio::any_io_executor executor, streams::GuestStream stream, std::string input)
      : feed_(executor, std::move(stream), std::move(input)) {}

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

void tell_program(const Context& context, const InstanceId& id, std::string opening, std::string input, const Reply& reply) {
  auto opened = [reply, input = std::move(input), executor = context.relays.executor()](Result<streams::GuestStream> stream) {
    if (!stream) return reply.send(to_response(stream.error()));
    reply.stream(std::make_unique<ProgramEvents>(executor, std::move(*stream), input));
  };
  context.control.open_stream(id, std::move(opening), std::move(opened));
}

}  // namespace vigil::api
