#include "shared/protocol/codec.hpp"

#include "shared/base/overloaded.hpp"
#include "shared/protocol/wire.hpp"

namespace vigil::protocol {

using wire::json;

namespace {

json body_to_json(const ReportBody& body) {
  return std::visit(Overloaded{
                        [](const StageReport& each) { return wire::to_json(each); },
                        [](const ServiceReport& each) { return wire::to_json(each); },
                        [](const CrashReport& each) { return wire::to_json(each); },
                        [](const CrashTrace& each) { return wire::to_json(each); },
                        [](const HealthReport& each) { return wire::to_json(each); },
                        [](const NetReport& each) { return wire::to_json(each); },
                        [](const DroppedReport& each) { return wire::to_json(each); },
                        [](const ByeReport& each) { return wire::to_json(each); },
                        [](const SigninReport& each) { return wire::to_json(each); },
                        [](const OtherReport& each) { return wire::nested(each.json); },
                    },
                    body);
}

template <class T>
Result<ReportBody> widen(Result<T> report) {
  if (!report) return report.error();
  return ReportBody(std::move(*report));
}

bool is_known_report(std::string_view type) {
  static constexpr std::string_view known[] = {"stage", "service", "crash", "crash_trace", "health", "net", "dropped", "bye", "signin"};
  return std::find(std::begin(known), std::end(known), type) != std::end(known);
}

Result<ReportBody> parse_known_body(std::string_view type, const json& object) {
  if (type == "stage") return widen(wire::parse_stage(object));
  if (type == "service") return widen(wire::parse_service(object));
  if (type == "crash") return widen(wire::parse_crash(object));
  if (type == "crash_trace") return widen(wire::parse_crash_trace(object));
  if (type == "health") return widen(wire::parse_health(object));
  if (type == "net") return widen(wire::parse_net(object));
  if (type == "dropped") return widen(wire::parse_dropped(object));
  if (type == "bye") return widen(wire::parse_bye(object));
  return widen(wire::parse_signin(object));
}

/// What this build does not know, by type or by a word in it, is kept as its JSON.
Result<ReportBody> parse_body(std::string_view type, const json& object) {
  const auto kept = [&] { return ReportBody(OtherReport{std::string(type), dump_json(object)}); };
  if (!is_known_report(type)) return kept();
  if (!object.is_object()) return Error(Errc::invalid, "body: not an object");
  auto body = parse_known_body(type, object);
  if (!body && body.error().code() == Errc::unsupported) return kept();
  return body;
}

struct Envelope {
  std::string type;
  BootId boot;
  Epoch epoch = 0;
  Seq seq = 0;          // 0: not numbered
  MonoUs mono_us = 0;
  json body;
};

Result<BootId> read_boot(const json& object) {
  if (!object.contains("boot")) return BootId();   // the host's first words may come before it knows the boot
  TRY(text, read_string(object, "boot", 36));
  return parse_boot_id(text);
}

Result<Envelope> parse_envelope(json object) {
  if (!object.is_object()) return Error(Errc::invalid, "not an object");
  TRY(version, wire::read_int<std::uint32_t>(object, "v"));
  if (version != protocol_version)
    return Error(Errc::unsupported, "v: " + std::to_string(version) + " is not " + std::to_string(protocol_version));
  Envelope envelope;
  TRY(type, read_string(object, "t", 64));
  TRY(boot, read_boot(object));
  TRY(epoch, wire::read_int_or<Epoch>(object, "epoch", 0));
  TRY(seq, wire::read_int_or<Seq>(object, "seq", 0));
  TRY(mono_us, wire::read_int_or<MonoUs>(object, "mono_us", 0));
  envelope.type = std::move(type);
  envelope.boot = std::move(boot);
  envelope.epoch = epoch;
  envelope.seq = seq;
  envelope.mono_us = mono_us;
  if (const auto body = object.find("body"); body != object.end()) envelope.body = std::move(*body);
  return envelope;
}

template <class T>
Result<Message> as_message(const Envelope& envelope, Result<T> content) {
  if (!content) return content.error().with_context(envelope.type);
  return Message{envelope.boot, envelope.epoch, std::move(*content)};
}

Result<Message> as_report(const Envelope& envelope) {
  if (envelope.boot.value().empty()) return Error(Errc::invalid, envelope.type + ": boot: missing");
  if (is_known_report(envelope.type) && envelope.seq == 0) return Error(Errc::invalid, envelope.type + ": seq: missing");
  auto body = parse_body(envelope.type, envelope.body);
  if (!body) return body.error().with_context(envelope.type);
  return Message{envelope.boot, envelope.epoch, Report{envelope.boot, envelope.epoch, envelope.seq, envelope.mono_us, std::move(*body)}};
}

std::string type_of(const Message& message) {
  return std::visit(Overloaded{
                        [](const Hello&) { return std::string("hello"); },
                        [](const Welcome&) { return std::string("welcome"); },
                        [](const Ack&) { return std::string("ack"); },
                        [](const Ping&) { return std::string("ping"); },
                        [](const Pong&) { return std::string("pong"); },
                        [](const Request&) { return std::string("request"); },
                        [](const Reply&) { return std::string("reply"); },
                        [](const Report& report) { return report_type(report.body); },
                    },
                    message.content);
}

json content_to_json(const Message& message) {
  return std::visit(Overloaded{
                        [](const Hello& each) { return wire::to_json(each); },
                        [](const Welcome& each) { return wire::to_json(each); },
                        [](const Ack& each) { return wire::to_json(each); },
                        [](const Ping& each) { return wire::to_json(each); },
                        [](const Pong& each) { return wire::to_json(each); },
                        [](const Request& each) { return wire::to_json(each); },
                        [](const Reply& each) { return wire::to_json(each); },
                        [](const Report& report) { return body_to_json(report.body); },
                    },
                    message.content);
}

void put_report_identity(json& object, const Report& report) {
  object["boot"] = report.boot.value();
  object["epoch"] = report.epoch;
  if (report.seq != 0) object["seq"] = wire::number(report.seq);
  object["mono_us"] = wire::number(report.mono_us);
}

}  // namespace

namespace {

json message_to_json(const Message& message) {
  json object = wire::object_of("v", protocol_version, "t", type_of(message), "epoch", message.epoch, "body", content_to_json(message));
  if (!message.boot.value().empty()) object["boot"] = message.boot.value();
  if (const auto* report = std::get_if<Report>(&message.content)) put_report_identity(object, *report);
  return object;
}

/// Limits count bytes of text; escaping may make six of one. So a report of nothing but control characters can be too long for a frame.
Message cut_to_digest(const Message& message, const Report& report) {
  Report cut = report;
  if (auto body = decode_digest(encode_digest(report.body))) cut.body = std::move(*body);
  return Message{message.boot, message.epoch, std::move(cut)};
}

/// As wire::number().
std::string digits(std::uint64_t value) { return std::to_string(std::min(value, static_cast<std::uint64_t>(max_json_integer))); }

/// What a host says most, written out as json would: its members in order. Nothing when the boot is no number of ours, which would have to be quoted.
std::optional<std::string> encode_short(const Message& message) {
  std::string body;
  if (const auto* const ack = std::get_if<Ack>(&message.content)) {
    body = "{\"seq\":" + digits(ack->seq) + "}";
  } else if (const auto* const ping = std::get_if<Ping>(&message.content)) {
    body = "{\"n\":" + digits(ping->n) + ",\"sender_us\":" + digits(ping->sender_us);
    if (ping->wall_unix_us != 0) body += ",\"wall_unix_us\":" + digits(ping->wall_unix_us);
    body += "}";
  } else {
    return std::nullopt;
  }
  const std::string& boot = message.boot.value();
  if (boot.find_first_not_of("0123456789abcdef-") != boot.npos) return std::nullopt;
  const std::string where = boot.empty() ? "" : ",\"boot\":\"" + boot + "\"";
  return "{\"body\":" + body + where + ",\"epoch\":" + std::to_string(message.epoch) + ",\"t\":\"" + type_of(message) + "\",\"v\":" + std::to_string(protocol_version) + "}";
}

}  // namespace

std::string encode(const Message& message) {
  if (auto text = encode_short(message)) return *std::move(text);
  auto text = dump_json(message_to_json(message));
  const auto* const report = std::get_if<Report>(&message.content);
  if (report == nullptr || text.size() <= max_message_bytes) return text;
  return dump_json(message_to_json(cut_to_digest(message, *report)));
}

Result<Message> decode(std::string_view text) {
  TRY(object, parse_json(text));
  TRY(envelope, parse_envelope(std::move(object)));
  if (envelope.type == "hello") {
    if (envelope.boot.value().empty()) return Error(Errc::invalid, "hello: boot: missing");
    return as_message(envelope, wire::parse_hello(envelope.body));
  }
  if (envelope.type == "welcome") return as_message(envelope, wire::parse_welcome(envelope.body));
  if (envelope.type == "ack") return as_message(envelope, wire::parse_ack(envelope.body));
  if (envelope.type == "ping") return as_message(envelope, wire::parse_ping(envelope.body));
  if (envelope.type == "pong") return as_message(envelope, wire::parse_pong(envelope.body));
  if (envelope.type == "request") return as_message(envelope, wire::parse_request(envelope.body));
  if (envelope.type == "reply") return as_message(envelope, wire::parse_reply(envelope.body));
  return as_report(envelope);
}

std::string encode_body(const ReportBody& body) { return dump_json(body_to_json(body)); }

Result<ReportBody> decode_body(std::string_view type, std::string_view text) {
  TRY(object, parse_json(text));
  return parse_body(type, object);
}

std::string encode_cause(const Cause& cause) { return dump_json(wire::to_json(cause)); }

Result<Cause> decode_cause(std::string_view text) {
  TRY(object, parse_json(text));
  return wire::parse_cause(object);
}

}  // namespace vigil::protocol
