// What a hostile local service answers to a probe. The first byte chooses the dialogue, the second how the rest is cut into reads.
#include "guest/readiness/http_dialogue.hpp"
#include "guest/readiness/http_message.hpp"
#include "guest/readiness/rfb_dialogue.hpp"
#include "guest/readiness/websocket_dialogue.hpp"
#include "guest/readiness/x11_dialogue.hpp"
#include "guest/readiness/x11_window_dialogue.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace {

using namespace vigil::guest::readiness;
using vigil::fuzz::require;

constexpr std::string_view accept_place = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@";   // what only the server can know stands here
enum Spoken : unsigned { http, websocket, rfb, x11_protocol, x11_window, kinds };

bool speaks_of_changes(unsigned kind) { return kind == x11_protocol || kind == x11_window; }

std::unique_ptr<Dialogue> make_dialogue(unsigned kind) {
  switch (kind) {
    case http: {
      vigil::service_spec::HttpProbe spec;
      spec.port = 80;
      spec.body = "up";
      return std::make_unique<HttpDialogue>(spec);
    }
    case websocket: {
      vigil::service_spec::WebsocketProbe spec;
      spec.port = 80;
      spec.subprotocol = "binary";
      spec.first_bytes = "RFB 003.";
      return std::make_unique<WebsocketDialogue>(spec);
    }
    case rfb: return std::make_unique<RfbDialogue>(vigil::service_spec::RfbProbe{5900});
    case x11_window: return std::make_unique<X11WindowDialogue>(std::int64_t{6000}, [](pid_t pid) { return pid == 4711; });
    default: {
      vigil::service_spec::X11Probe spec;
      spec.size = vigil::service_spec::ScreenSize{1280, 800};
      spec.window_manager = true;
      return std::make_unique<X11Dialogue>(spec, std::int64_t{6000});
    }
  }
}

std::string with_accept(std::string bytes, const std::string& request) {
  const std::string name = "Sec-WebSocket-Key: ";
  const auto key = request.find(name), place = bytes.find(accept_place);
  if (key == std::string::npos || place == std::string::npos) return bytes;
  const auto end = request.find("\r\n", key);
  return bytes.replace(place, accept_place.size(), websocket_accept(request.substr(key + name.size(), end - key - name.size())));
}

void check(const Turn& turn) {
  require(turn.send.size() <= 64 * 1024, "what we say is bounded");
  require(turn.seen.size() <= 1024, "what we saw is short");
  require(turn.kind != Turn::Kind::passed || !turn.finding, "nothing is wrong with what has passed");
  if (!turn.finding) return;
  for (const auto& [name, value] : turn.finding->fields)
    if (const auto* text = std::get_if<std::string>(&value)) require(text->size() <= 1024, "a cause is short");
}

bool is_over(const Turn& turn) { return turn.kind == Turn::Kind::passed || turn.kind == Turn::Kind::failed; }

Turn::Kind end_of(unsigned kind, const std::string& raw, std::size_t step) {
  const auto dialogue = make_dialogue(kind);
  const std::string bytes = with_accept(raw, dialogue->begin());
  std::string unread;
  Turn turn;
  for (std::size_t at = 0; at < bytes.size() && !is_over(turn); at += step) {
    unread += bytes.substr(at, step);
    turn = dialogue->take(unread, Input::goes_on);
    check(turn);
  }
  if (is_over(turn)) return turn.kind;
  turn = dialogue->take(unread, Input::has_ended);
  check(turn);
  require(speaks_of_changes(kind) || is_over(turn), "who has closed owes nothing");
  return turn.kind;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const unsigned kind = data[0] % kinds;
  const std::string bytes(reinterpret_cast<const char*>(data + 2), size - 2);
  const auto whole = end_of(kind, bytes, bytes.size() + 1), cut = end_of(kind, bytes, std::size_t{1} + data[1] % 64);
  // X11 speaks of changes: what was right for a moment passes when it is read in that moment.
  require(speaks_of_changes(kind) || whole == cut, "cutting changes nothing");
  return 0;
}
