// As much of the X11 protocol as the x11 probe speaks, in this machine's byte order: requests as bytes, replies and events as values.
//
// Shape:  pure. Readers take what has come so far and say when it is not enough; every length is checked before it is believed.
// Source: X Window System Protocol, X11R7.7, appendix B (encoding); X-Resource extension 1.2 (whose a window is: as the server's kernel says, not as its client does).
#pragma once

#include "shared/service_spec/service_spec.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::readiness::x11 {

struct Setup {
  enum class Kind { incomplete, not_x11, refused, accepted };
  Kind kind = Kind::incomplete;
  std::string reason;                 // refused: the server's words
  std::uint32_t root = 0;             // accepted: of the first screen
  service_spec::ScreenSize size;
  std::size_t bytes = 0;              // of the whole reply
};

std::string setup_request();
Setup read_setup(std::string_view bytes);

std::string watch_window_request(std::uint32_t window);     // ask for events: size and properties
std::string geometry_request(std::uint32_t window);
std::string atom_request(std::string_view name);
std::string window_property_request(std::uint32_t window, std::uint32_t property);
std::string window_list_request(std::uint32_t window, std::uint32_t property);   // the first 1,024 of them
std::string extension_request(std::string_view name);
std::string client_process_request(std::uint8_t resource_extension, std::uint32_t window);   // of the client that made it

/// A reply, an error or an event.
struct Message {
  static constexpr std::uint8_t error = 0, reply = 1, configure_notify = 22, property_notify = 28;
  std::uint8_t type = 0;
  std::uint16_t sequence = 0;         // low 16 bits of the request's number that it answers
  std::string_view bytes;             // all of it, at least 32
};

enum class Progress { incomplete, complete, too_long };
/// The first message of `bytes`.
Progress read_message(std::string_view bytes, Message& message);

// What messages of the right type hold.
service_spec::ScreenSize geometry_of(const Message& reply);
std::uint32_t atom_of(const Message& reply);
std::optional<std::uint32_t> window_property_of(const Message& reply);   // nullopt: it is not set to a window
std::vector<std::uint32_t> windows_of(const Message& reply);
std::optional<std::uint8_t> extension_of(const Message& reply);             // its requests' first byte; nullopt: the display has no such extension
std::optional<std::uint32_t> process_of(const Message& reply);              // nullopt: the client is on another machine
std::uint32_t property_of(const Message& property_notify);
std::uint32_t window_of(const Message& configure_notify);
service_spec::ScreenSize size_of(const Message& configure_notify);

}  // namespace vigil::guest::readiness::x11
