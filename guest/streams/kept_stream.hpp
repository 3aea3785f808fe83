// What the next life of the agent needs to go on with the host's streams and their programs: plain values; descriptors are numbers that stay open over the exec.
#pragma once

#include "shared/protocol/report.hpp"
#include "shared/streams/chunk.hpp"
#include "shared/streams/opening.hpp"

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace vigil::guest::streams {

struct KeptOutput {
  vigil::streams::Channel channel = vigil::streams::Channel::out;
  int fd = -1;  // -1: nobody can write any more
  std::string kept;  // read, and taken by nobody
  std::uint64_t lost = 0, taken = 0;
  bool ended = false;
  friend bool operator==(const KeptOutput&, const KeptOutput&) = default;
};

struct KeptExec {
  std::string id;
  bool alone = false;
  pid_t pid = 0;
  std::vector<KeptOutput> outputs;
  int terminal_fd = -1, input_fd = -1;
  std::string input;  // not written yet
  bool input_ending = false;
  std::optional<protocol::ExitStatus> exit;
  friend bool operator==(const KeptExec&, const KeptExec&) = default;
};

/// A stream that is attached to a program.
struct KeptExecStream {
  std::string id;
  std::vector<vigil::streams::Channel> ended;
  bool over = false;
  friend bool operator==(const KeptExecStream&, const KeptExecStream&) = default;
};

struct KeptLogFollow {
  std::string service, turn;
  bool follow = false, over = false;
  std::map<std::string, vigil::streams::LogPosition> positions;
  std::uint64_t sent = 0;
  friend bool operator==(const KeptLogFollow&, const KeptLogFollow&) = default;
};

struct KeptBridge {
  int fd = -1;
  std::string input;  // of the host's, not written yet
  bool local_ended = false, host_ended = false;
  std::uint64_t sent = 0;
  friend bool operator==(const KeptBridge&, const KeptBridge&) = default;
};

/// monostate: the stream has said its last word, or its first is not there yet.
using KeptOperation = std::variant<std::monostate, KeptExecStream, KeptLogFollow, KeptBridge>;

struct KeptStream {
  enum class State : std::uint8_t { opening, accepted, finishing };
  int fd = -1;
  State state = State::opening;
  std::string unread;  // read, and not yet a whole opening or chunk
  std::string out;  // not written yet
  std::uint64_t room = 0;
  bool input_paused = false;
  KeptOperation operation;
  friend bool operator==(const KeptStream&, const KeptStream&) = default;
};

}  // namespace vigil::guest::streams
