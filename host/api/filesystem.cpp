// GET /instances/{id}/filesystem/PATH: a file's bytes, or what a directory holds.
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/streams/chunk_feed.hpp"
#include "shared/json/json.hpp"
#include "shared/streams/control.hpp"
#include "shared/streams/opening.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

namespace {

using nlohmann::json;
using streams::Channel;

/// The bytes of its data channel. The guest's problem is the source's error: the client's answer breaks off.
class DataSource final : public http::ByteSource {
public:
  DataSource(boost::asio::any_io_executor executor, streams::GuestStream stream) : feed_(executor, std::move(stream)) {}

  Result<Part> next() override {
    TRY(taken, feed_.take());
    Part part;
    part.ended = taken.over;
    for (const auto& chunk : taken.chunks) {
      if (chunk.channel == Channel::data) part.bytes += chunk.bytes;
      if (chunk.channel != Channel::control || chunk.is_end()) continue;
      const auto message = streams::decode_control(chunk.bytes);
      if (const auto* const problem = message ? std::get_if<streams::Problem>(&*message) : nullptr)
        return Error(problem->code, problem->detail);
    }
    return part;
  }
  void on_more(std::function<void()> wake) override { feed_.on_more(std::move(wake)); }

private:
  streams::ChunkFeed feed_;
};

std::optional<std::uint64_t> size_of(const std::string& facts_json) {
  const auto facts = parse_json(facts_json);
  if (!facts || !facts->is_object() || !facts->contains("size")) return std::nullopt;
  const auto& size = (*facts)["size"];
  return size.is_number_unsigned() ? std::optional(size.get<std::uint64_t>()) : std::nullopt;
}

/// One JSON object a line, as `vigil ls --json` shows them.
void send_directory(const Context& context, const InstanceId& id, const std::string& path, const Reply& reply) {
  context.control.open_stream(
      id, streams::encode(streams::Opening(streams::DirListOpening{path})),
      [reply, executor = context.relays.executor()](Result<streams::GuestStream> stream) {
        if (!stream) return reply.send(to_response(stream.error()));
        reply.stream(
            {"application/x-ndjson", std::nullopt, {{"X-Type", "directory"}}, std::make_unique<DataSource>(executor, std::move(*stream))});
      });
}

}  // namespace

void get_filesystem(const Context& context, const Request& request, const Reply& reply) {
  const auto id = existing_id(context, request);
  if (!id) return reply.send(to_response(id.error()));
  const auto path = "/" + request.parameter("path");
  // Only the guest knows which of the two it is: it is asked for the file first.
  context.control.open_stream(
      *id, streams::encode(streams::Opening(streams::FileReadOpening{path, 0, std::nullopt})),
      [context, id = *id, path, reply](Result<streams::GuestStream> stream) {
        if (!stream && stream.error().code() == Errc::invalid && stream.error().message().ends_with("is a directory"))
          return send_directory(context, id, path, reply);
        if (!stream) return reply.send(to_response(stream.error()));
        const auto size = size_of(stream->facts_json);
        reply.stream({"application/octet-stream",
                      size,
                      {{"X-Type", "file"}, {"X-Content-Type-Options", "nosniff"}},
                      std::make_unique<DataSource>(context.relays.executor(), std::move(*stream))});
      });
}

}  // namespace vigil::api
