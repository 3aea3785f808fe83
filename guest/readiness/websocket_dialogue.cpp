#include "guest/readiness/websocket_dialogue.hpp"

#include "guest/readiness/http_message.hpp"
#include "guest/readiness/sha1.hpp"
#include "shared/base/encoding.hpp"

#include <strings.h>
#include <sys/random.h>

#include <algorithm>

namespace vigil::guest::readiness {
namespace {

constexpr int switching_protocols = 101;

struct WebsocketFrame {
  unsigned opcode = 0;
  std::string_view payload;           // as much of it as has come
  std::size_t missing = 0;            // of the payload
};

/// Takes one frame off; nothing when its head has not come whole, or is wrong.
std::optional<WebsocketFrame> take_frame(std::string_view& bytes, bool& malformed) {
  if (bytes.size() < 2) return std::nullopt;
  const auto byte_at = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  const unsigned opcode = byte_at(0) & 0x0f, reserved = byte_at(0) & 0x70, short_length = byte_at(1) & 0x7f;
  const bool masked = (byte_at(1) & 0x80) != 0, control = opcode >= 8;
  malformed = masked || reserved != 0 || (opcode > 2 && opcode < 8) || opcode > 10 || (control && short_length > 125);
  if (malformed) return std::nullopt;
  const std::size_t length_bytes = short_length == 127 ? 8 : short_length == 126 ? 2 : 0;
  if (bytes.size() < 2 + length_bytes) return std::nullopt;
  std::uint64_t length = length_bytes == 0 ? short_length : 0;
  for (std::size_t i = 0; i < length_bytes; ++i) length = length << 8 | byte_at(2 + i);
  bytes.remove_prefix(2 + length_bytes);
  const std::size_t here = static_cast<std::size_t>(std::min<std::uint64_t>(length, bytes.size()));
  const WebsocketFrame frame{opcode, bytes.substr(0, here), static_cast<std::size_t>(length - here)};
  bytes.remove_prefix(here);
  return frame;
}

}  // namespace

WebsocketData read_websocket_frames(std::string_view bytes) {
  constexpr unsigned close_frame = 8;
  WebsocketData data;
  while (const auto frame = take_frame(bytes, data.malformed)) {
    if (frame->opcode < close_frame) data.payload += frame->payload;
    data.closed = data.closed || frame->opcode == close_frame;
    if (frame->missing > 0 || data.closed) break;
  }
  return data;
}

std::string websocket_accept(std::string_view key) { return to_base64(sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")); }

std::string WebsocketDialogue::begin() {
  char nonce[16] = {};
  [[maybe_unused]] const ssize_t ignored = getrandom(nonce, sizeof nonce, GRND_NONBLOCK);  // it only has to differ from a cached answer's
  key_ = to_base64(std::string_view(nonce, sizeof nonce));
  std::string headers = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key_ + "\r\n";
  if (!spec_.subprotocol.empty()) headers += "Sec-WebSocket-Protocol: " + spec_.subprotocol + "\r\n";
  return http_request(spec_.path, spec_.address, spec_.port, headers);
}

Turn WebsocketDialogue::take(std::string& unread, Input input) {
  HttpReply reply;
  const HttpProgress progress = read_http_head(unread, reply);
  if (progress == HttpProgress::incomplete && input == Input::goes_on) return {};
  if (unread.empty()) return closed_silently();
  if (progress != HttpProgress::head_complete) return wrong_protocol("websocket", start_of(unread));
  if (reply.status >= 500) return {Turn::Kind::failed, {}, "status " + std::to_string(reply.status)};
  if (const auto fault = fault_of_upgrade(reply)) return wrong_protocol("websocket", *fault);
  return judge_data(reply.raw_body, input);
}

std::optional<std::string> WebsocketDialogue::fault_of_upgrade(const HttpReply& reply) const {
  if (reply.status != switching_protocols) return "HTTP status " + std::to_string(reply.status);
  if (strcasecmp(header_value(reply, "upgrade").value_or("").c_str(), "websocket") != 0) return "an upgrade to something else";
  if (header_value(reply, "sec-websocket-accept") != websocket_accept(key_)) return "an upgrade with a wrong Sec-WebSocket-Accept";
  const auto chosen = header_value(reply, "sec-websocket-protocol");
  if (chosen && *chosen != spec_.subprotocol) return "the subprotocol " + start_of(*chosen);
  return std::nullopt;
}

Turn WebsocketDialogue::judge_data(std::string_view frames, Input input) const {
  const std::string& wanted = spec_.first_bytes;
  if (wanted.empty()) return {Turn::Kind::passed};
  const WebsocketData data = read_websocket_frames(frames);
  const std::string_view payload(data.payload);
  if (payload.starts_with(wanted)) return {Turn::Kind::passed};
  if (!wanted.starts_with(payload)) return wrong_protocol(wanted, start_of(payload));
  if (data.malformed) return wrong_protocol("websocket", "a malformed frame");
  if (!data.closed && input == Input::goes_on) return {};
  return payload.empty() ? closed_silently() : wrong_protocol(wanted, start_of(payload));
}

}  // namespace vigil::guest::readiness
