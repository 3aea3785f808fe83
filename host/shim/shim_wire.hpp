// What travels on shim.sock: frames (shared/framing) whose first byte says what follows.
//
// Shape:  'J' + JSON: commands {"op":"attach","console_offset":N} {"op":"status"} {"op":"kill","signal":N}, events {"event":NAME,...};
//         an attach with "dialled":true wants who dials the run's doors, each as the event "dialled" whose first byte carries the socket (SCM_RIGHTS);
//         {"op":"dial","id":N,"port":P}: dial the guest's port; "answered" of that id follows, the first byte of one that is connected carries the socket;
//         'C' + u64 LE offset + console bytes (no JSON, no base64: a console may flood).
// Errors: Errc::protocol for what cannot be.
#pragma once

#include "host/shim/shim_event.hpp"
#include "shared/base/result.hpp"

#include <string>
#include <string_view>
#include <variant>

namespace vigil::shim {

struct Attach { std::uint64_t console_offset = 0; bool dialled = false; friend bool operator==(const Attach&, const Attach&) = default; };
struct AskStatus { friend bool operator==(const AskStatus&, const AskStatus&) = default; };
struct Kill { int signal = 0; friend bool operator==(const Kill&, const Kill&) = default; };
struct Dial { std::uint64_t id = 0; std::uint32_t port = 0; friend bool operator==(const Dial&, const Dial&) = default; };
using Command = std::variant<Attach, AskStatus, Kill, Dial>;

inline constexpr std::size_t max_console_piece = 64 << 10;
inline constexpr std::uint32_t max_command_bytes = 4 << 10;

std::string frame_of(const ShimEvent& event);
std::string frame_of(const Command& command);

/// The payload of one frame.
Result<ShimEvent> parse_event(std::string_view payload);
Result<Command> parse_command(std::string_view payload);

}  // namespace vigil::shim
