#include "host/machine/event_codec.hpp"

#include "host/machine/event_json.hpp"
#include "host/machine/event_names.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::machine {

using nlohmann::json;

EncodedEvent encode_event(const VmEvent& event) {
  const auto* reported = std::get_if<Reported>(&event.body);
  return EncodedEvent{.seq = event.seq,
                      .instance = event.instance,
                      .run = event.run,
                      .type = event_type(event.body),
                      .at_unix_us = event.at_unix_us,
                      .mono_us = event.mono_us,
                      .body = reported != nullptr ? reported_json(*reported) : host_body_json(event.body)};
}

Result<VmEvent> decode_event(const EncodedEvent& event) {
  auto body = is_host_type(event.type) ? parse_host_body(event.type, event.body) : parse_reported(event.type, event.body);
  if (!body) return body.error().with_context("event " + std::to_string(event.seq) + " (" + event.type + ")");
  return VmEvent{.seq = event.seq,
                 .instance = event.instance,
                 .run = event.run,
                 .at_unix_us = event.at_unix_us,
                 .mono_us = event.mono_us,
                 .body = std::move(*body)};
}

std::string event_json(const EncodedEvent& event) {
  std::string text = "{\"seq\":" + std::to_string(event.seq) + ",\"instance\":" + dump_json(event.instance.value()) +
                     ",\"run\":" + std::to_string(event.run.value()) + ",\"type\":" + dump_json(event.type) +
                     ",\"at_unix_us\":" + std::to_string(event.at_unix_us) + ",\"mono_us\":";
  text += event.mono_us == 0 ? "null" : std::to_string(event.mono_us);
  return text + ",\"body\":" + event.body + "}";
}

std::string kept_body(const EncodedEvent& event) {
  if (event.type != "signin" || event.body.find("private_url") == std::string::npos) return event.body;
  auto decoded = decode_event(event);
  auto* const reported = decoded ? std::get_if<Reported>(&decoded->body) : nullptr;
  if (reported == nullptr) return "{}";         // of a body that nobody can read nothing is kept
  reported->report.body = protocol::without_private(reported->report.body);
  return encode_event(*decoded).body;
}

std::string shown_event_json(const EncodedEvent& event) {
  if (event.type != "signin") return event_json(event);
  auto shown = event;
  shown.body = kept_body(event);
  return event_json(shown);
}

}  // namespace vigil::machine
