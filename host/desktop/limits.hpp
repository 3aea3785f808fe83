// How much browsers may ask of the desktop's door.
#pragma once

#include <chrono>
#include <cstddef>

namespace vigil::desktop {

struct Limits {
  std::size_t max_viewers_of_vm = 8, max_viewers = 64;
  std::size_t max_parting = 64;                          // that were refused, and are being told why
  std::size_t max_connections = 512;                     // pages, streams of views and viewers that have not begun
  std::size_t max_message_bytes = 4 << 20;               // of the browser: a large clipboard
  std::size_t max_listed_services = 64;                  // in one view
  std::chrono::seconds ticket_life{60};                  // from the command line into a browser
  std::chrono::seconds cookie_life{12 * 3600};           // of one browser and one VM
  std::chrono::milliseconds handshake_deadline{10'000};  // of the WebSocket
  std::chrono::milliseconds idle{60'000};                // a browser that answers no ping within this is gone
  std::chrono::milliseconds verdict_wait{3'000};         // after the guest's end of the stream: until it is known why
  std::chrono::milliseconds farewell{1'500};             // for the closing handshake
};

}  // namespace vigil::desktop
