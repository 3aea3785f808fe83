// Message <-> JSON text: the one place that knows how a message looks on the wire.
//
// Shape:  {"v":1,"t":TYPE,"boot":..,"epoch":..,"seq":..,"mono_us":..,"body":{..}}; seq and mono_us are there on reports only.
// Errors: Errc::limit (a limit of JsonLimits or of a field), Errc::invalid (malformed, a field missing or out of range; the message names it),
//         Errc::unsupported (v is not ours). Unknown fields are ignored; an unknown type decodes to an OtherReport.
#pragma once

#include "shared/base/result.hpp"
#include "shared/protocol/control.hpp"
#include "shared/protocol/report.hpp"

#include <string>
#include <string_view>
#include <variant>

namespace vigil::protocol {

struct Message {
  BootId boot;
  Epoch epoch = 0;
  std::variant<Hello, Welcome, Ack, Ping, Pong, Request, Reply, Report> content;   // a Report repeats boot and epoch
  friend bool operator==(const Message&, const Message&) = default;
};

/// What one frame may hold (framing::max_frame_bytes). encode never gives more for a report: one that would be longer is cut to what its digest says.
inline constexpr std::size_t max_message_bytes = 1 << 20;

std::string encode(const Message& message);
Result<Message> decode(std::string_view json);

/// A report's body alone, as the store keeps it and the API serves it.
std::string encode_body(const ReportBody& body);
Result<ReportBody> decode_body(std::string_view type, std::string_view json);

std::string encode_cause(const Cause& cause);              // {"code","fields","evidence"}
Result<Cause> decode_cause(std::string_view json);

/// What fits into three console records (shared/console): enough for a cause with its fields and one line of evidence.
inline constexpr std::size_t max_digest_bytes = 420;

/// The digest that console records carry: type, subject, state, cause code and fields as JSON with one-letter keys, at most max_digest_bytes
/// (evidence is cut first, then detail, then fields; never the cause's code). Decoding gives the report with its other members at their defaults.
std::string encode_digest(const ReportBody& body);
Result<ReportBody> decode_digest(std::string_view json);

}  // namespace vigil::protocol
