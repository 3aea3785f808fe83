// {"websocket":{"port":N,"path":P,"subprotocol":S,"first_bytes":B}}: the upgrade is granted, and the messages after it begin with B (an RFB banner, say).
//
// A reply that is no upgrade and other first bytes are service.wrong_protocol; a status of 500 or more stays "not yet".
// Source: RFC 6455 §4.1, §5.2.
#pragma once

#include "guest/readiness/dialogue.hpp"
#include "shared/service_spec/service_spec.hpp"

namespace vigil::guest::readiness {

struct HttpReply;

/// The data of the frames in `bytes`, as far as they have come; control frames are left out.
struct WebsocketData {
  std::string payload;
  bool malformed = false, closed = false;
};
WebsocketData read_websocket_frames(std::string_view bytes);

/// What the server must answer to the key.
std::string websocket_accept(std::string_view key);

class WebsocketDialogue final : public Dialogue {
public:
  explicit WebsocketDialogue(const service_spec::WebsocketProbe& spec) : Dialogue(std::int64_t{spec.port}), spec_(spec) {}

  std::string begin() override;
  Turn take(std::string& unread, Input input) override;

private:
  std::optional<std::string> fault_of_upgrade(const HttpReply& reply) const;
  Turn judge_data(std::string_view frames, Input input) const;

  service_spec::WebsocketProbe spec_;
  std::string key_;
};

}  // namespace vigil::guest::readiness
