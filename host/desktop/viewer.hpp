// One browser and one screen: a WebSocket of RFB bytes joined to a TCP connection inside the VM.
//
// Shape:  made with a connection whose head asks for the WebSocket; run() answers the handshake, dials the guest and carries bytes both ways, each block at the pace
//         of its receiver, until one side ends, the VM does, or finish() says so. Refusals are closed WebSockets, not HTTP answers: a page can read only these.
// Thread: the event thread. `guests`, `bus`, `limits` and `counters` outlive it. It must not be destroyed before run() has ended.
#pragma once

#include "host/desktop/closing.hpp"
#include "host/desktop/limits.hpp"
#include "host/events/event_bus.hpp"
#include "host/http/message.hpp"
#include "host/ports/guests.hpp"
#include "shared/base/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace vigil::desktop {

struct Counters {
  std::uint64_t attached = 0, open = 0;  // viewers that saw a screen; those that see one now
  std::map<std::string, std::uint64_t> closed;  // by the name of the close code
  std::uint64_t parting = 0, turned_away = 0;  // refused, and being told why now; refused without a word, for too many were
  std::uint64_t left = 0;  // closed by the browser, or it has gone
  std::uint64_t bytes_to_browser = 0, bytes_to_guest = 0;
};

struct Bridge {
  ports::Guests& guests;
  events::EventBus& bus;
  const Limits& limits;
  Counters& counters;
};

class Viewer {
public:
  /// `refusal`: why it is closed as soon as it is open; nullopt: it may.
  Viewer(boost::asio::any_io_executor executor, Bridge bridge, UniqueFd client, http::Request request, InstanceId vm,
         std::optional<Closing> refusal);
  ~Viewer();
  Viewer(const Viewer&) = delete;
  Viewer& operator=(const Viewer&) = delete;

  boost::asio::awaitable<void> run();
  /// Closes it with these words, whatever it is doing; the first word counts.
  void finish(const Closing& closing);
  const InstanceId& vm() const;

private:
  class Joined;  // keeps Beast out of this header
  std::unique_ptr<Joined> joined_;
};

}  // namespace vigil::desktop
