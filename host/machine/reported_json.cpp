#include "host/machine/event_json.hpp"
#include "host/machine/event_names.hpp"
#include "shared/json/json.hpp"
#include "shared/protocol/codec.hpp"

#include <nlohmann/json.hpp>

namespace vigil::machine {

using nlohmann::json;
using protocol::OtherReport;

namespace {

/// Of every report that comes in: written out, its members in the order in which json has them.
std::string envelope(const Reported& reported) {
  const auto& report = reported.report;
  std::string text = "{\"boot\":" + dump_json(report.boot.value());
  text.append(",\"channel\":\"").append(to_text(reported.channel)).append("\",\"epoch\":").append(std::to_string(report.epoch));
  text.append(",\"mono_us\":").append(std::to_string(report.mono_us)).append(",\"partial\":").append(reported.partial ? "true" : "false");
  if (reported.replaces != 0) text.append(",\"replaces\":").append(std::to_string(reported.replaces));
  text.append(",\"seq\":").append(std::to_string(report.seq));
  if (const auto* other = std::get_if<OtherReport>(&report.body)) text.append(",\"type\":").append(dump_json(other->type));
  return text + "}";
}

Result<Reported> parse_envelope(const json& object) {
  Reported reported;
  TRY(boot, read_string(object, "boot", 64));
  TRY(epoch, read_integer(object, "epoch", 0, 0xffffffff));
  TRY(seq, read_integer(object, "seq"));
  TRY(mono_us, read_integer(object, "mono_us"));
  TRY(channel_text, read_string(object, "channel", 16));
  TRY(partial, read_bool(object, "partial"));
  TRY(replaces, try_read_integer(object, "replaces"));
  const auto channel = parse_enum<Channel>(channel_text);
  if (!channel) return Error(Errc::invalid, "channel: neither link nor console");
  reported.report.boot = BootId(boot);
  reported.report.epoch = static_cast<Epoch>(epoch);
  reported.report.seq = static_cast<Seq>(seq);
  reported.report.mono_us = static_cast<MonoUs>(mono_us);
  reported.channel = *channel;
  reported.partial = partial;
  reported.replaces = static_cast<EventSeq>(replaces.value_or(0));
  return reported;
}

constexpr std::size_t max_build_id = 128;

}  // namespace

std::optional<std::string> upgraded_build(const OtherReport& report) {
  if (report.type != "agent_upgrade") return std::nullopt;
  const auto facts = parse_json(report.json);
  if (!facts || !facts->is_object()) return std::nullopt;
  const auto outcome = read_string(*facts, "outcome", 32), build = read_string(*facts, "to_build", max_build_id);
  return outcome && build && *outcome == "upgraded" ? std::optional(*build) : std::nullopt;
}

std::string reported_json(const Reported& reported) {
  const auto meta = "\"report\":" + envelope(reported) + "}";
  if (const auto* other = std::get_if<OtherReport>(&reported.report.body)) {
    const bool is_json = json::accept(other->json);
    return "{\"value\":" + (is_json ? other->json : dump_json(other->json)) + "," + meta;
  }
  auto text = protocol::encode_body(reported.report.body);
  text.pop_back();                               // the closing brace makes room for one more member
  return text + (text.size() > 1 ? "," : "") + meta;
}

Result<EventBody> parse_reported(std::string_view type, std::string_view text) {
  TRY(object, parse_json(text, JsonLimits{.max_bytes = 2 << 20, .max_depth = 20, .max_values = 40'000}));
  if (!object.is_object() || !object.contains("report")) return Error(Errc::unsupported, "neither a report nor an event of this version");
  TRY(reported, parse_envelope(object["report"]));
  const auto other = object["report"].find("type");
  if (other != object["report"].end() && other->is_string() && object.contains("value")) {
    reported.report.body = OtherReport{.type = other->get<std::string>(), .json = dump_json(object["value"])};
    return EventBody(reported);
  }
  object.erase("report");
  TRY(body, protocol::decode_body(type, dump_json(object)));
  reported.report.body = body;
  return EventBody(reported);
}

}  // namespace vigil::machine
