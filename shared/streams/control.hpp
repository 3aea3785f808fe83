// The messages of a stream's control channel, one JSON chunk each.
//
// Shape:  to the guest: Signal, Resize. To the host: Exit (a process), Done (a file), Lost (output of a time when nobody was attached), Problem. Exit, Done
//         and Problem are last. LogPart (a followed log) tells of the next chunk of its channel; with 0 bytes there is none, only the count of what is lost.
// Errors: Errc::unsupported for a message that this build does not know; it may be passed over.
#pragma once

#include "shared/base/result.hpp"
#include "shared/protocol/report.hpp"
#include "shared/streams/chunk.hpp"
#include "shared/streams/opening.hpp"

#include <string>
#include <string_view>
#include <variant>

namespace vigil::streams {

struct Signal { int number = 0; friend bool operator==(const Signal&, const Signal&) = default; };
struct Resize { TerminalSize size; friend bool operator==(const Resize&, const Resize&) = default; };
struct Exit { protocol::ExitStatus status; friend bool operator==(const Exit&, const Exit&) = default; };
struct Done { std::uint64_t bytes = 0; friend bool operator==(const Done&, const Done&) = default; };
struct Lost { Channel channel = Channel::out; std::uint64_t bytes = 0; friend bool operator==(const Lost&, const Lost&) = default; };
struct LogPart {
  std::string service;
  Channel channel = Channel::out;
  std::uint64_t offset = 0, bytes = 0;         // of the chunk, within all that the service wrote to that stream in this boot
  std::uint64_t lost = 0;                      // bytes before `offset` that were not kept
  std::uint64_t age_us = 0;                    // since they were written, as far as the guest knows
  friend bool operator==(const LogPart&, const LogPart&) = default;
};
struct Problem { Errc code = Errc::internal; std::string detail; friend bool operator==(const Problem&, const Problem&) = default; };

using Control = std::variant<Signal, Resize, Exit, Done, Lost, LogPart, Problem>;

std::string encode(const Control& control);
Result<Control> decode_control(std::string_view json_text);

}  // namespace vigil::streams
