// How a stream begins: what the host asks for, and what the guest answers, one JSON frame each.
//
// Shape:  an Opening is one alternative an op; an answer is the op's own facts, or a problem. Unknown keys of an opening are errors: they are a newer
//         host's wish that this agent cannot fulfil.
// Errors: Errc::invalid naming the key, Errc::unsupported for an op or a version that this build does not know, Errc::limit.
// Source: CONTRACTS "Streams".
#pragma once

#include "shared/base/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vigil::streams {

struct TerminalSize {
  std::uint16_t rows = 24, columns = 80;
  friend bool operator==(const TerminalSize&, const TerminalSize&) = default;
};

/// A new process. Without argv: the user's login shell.
struct ExecOpening {
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;      // over the image's and the VM's
  std::string cwd;                             // empty: the user's home
  std::string user = "root";
  std::optional<TerminalSize> terminal;        // none: pipes, stdout and stderr apart
  bool with_stdin = false;                     // else /dev/null; a terminal always has one
  bool detach = false;                    // the stream ends with the answer, the process goes on
  friend bool operator==(const ExecOpening&, const ExecOpening&) = default;
};

/// To a process that was started by an earlier stream. The newest attached stream has it alone.
struct AttachOpening {
  std::string exec;                            // "ex-..."
  friend bool operator==(const AttachOpening&, const AttachOpening&) = default;
};

/// To a port of the guest, also one bound to a loopback address only.
struct TcpOpening {
  std::uint16_t port = 0;
  friend bool operator==(const TcpOpening&, const TcpOpening&) = default;
};

struct FileReadOpening {
  std::string path;                            // absolute, as all paths here
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;         // none: to the end
  friend bool operator==(const FileReadOpening&, const FileReadOpening&) = default;
};

/// The file appears whole under its name, or not at all.
struct FileWriteOpening {
  std::string path;
  std::optional<std::uint32_t> mode;           // none: that of the file it replaces, else 0644
  std::string user;                            // owner; empty: that of the file it replaces, else root
  friend bool operator==(const FileWriteOpening&, const FileWriteOpening&) = default;
};

struct DirListOpening {
  std::string path;
  friend bool operator==(const DirListOpening&, const DirListOpening&) = default;
};

/// What happens in a directory from the answer on; not in directories below it.
struct DirWatchOpening {
  std::string path;
  friend bool operator==(const DirWatchOpening&, const DirWatchOpening&) = default;
};

/// Bytes of each stream of a service that the host has already.
struct LogPosition {
  std::uint64_t out = 0, err = 0;
  friend bool operator==(const LogPosition&, const LogPosition&) = default;
};

/// What services write, from a position on. Positions are of one boot: those of another one are not looked at.
struct LogFollowOpening {
  std::string service;                         // empty: all of them, also those that come later
  bool follow = true;                          // else the stream ends with what there is
  std::string boot;
  std::map<std::string, LogPosition> from;     // by service; 0 for who is not named
  friend bool operator==(const LogFollowOpening&, const LogFollowOpening&) = default;
};

/// A sign-in: the provider's CLI on a terminal of its own, until there is a credential or it has failed. The end of this stream before then is its cancellation.
/// Its output can be shown (channel out, what a slow reader misses is told as Lost); what the host sends on channel data is typed. Last comes Done (a
/// credential is held) or Problem (the report says the cause).
struct SigninRunOpening {
  std::string session, provider;               // the host's id of it; a name of shared/signin's table
  std::string user = "root";                   // of the guest: who runs the CLI and the browser
  std::uint32_t deadline_s = 900;              // for the user, after the address was seen
  TerminalSize terminal{40, 120};
  friend bool operator==(const SigninRunOpening&, const SigninRunOpening&) = default;
};

/// The credential's bytes, once credential_found was reported; as often as wanted until it is forgotten.
struct SigninTakeOpening {
  std::string session;
  friend bool operator==(const SigninTakeOpening&, const SigninTakeOpening&) = default;
};

/// The host has committed the bytes of this hash: the guest holds them no longer, nor does the file in its user's home stay.
struct SigninForgetOpening {
  std::string session, sha256;
  friend bool operator==(const SigninForgetOpening&, const SigninForgetOpening&) = default;
};

using Opening = std::variant<ExecOpening, AttachOpening, TcpOpening, FileReadOpening, FileWriteOpening, DirListOpening, DirWatchOpening, LogFollowOpening, SigninRunOpening,
                             SigninTakeOpening, SigninForgetOpening>;

std::string encode(const Opening& opening);
Result<Opening> decode_opening(std::string_view json_text);
/// "exec", "tcp", ...
std::string_view op_of(const Opening& opening);

/// The guest's answer to an opening: its facts as a JSON object, or why not.
std::string encode_answer(const Result<std::string>& facts_json);
Result<std::string> decode_answer(std::string_view json_text);

/// The boot of which a followed log's offsets are.
Result<std::string> log_facts(std::string_view facts_json);

inline constexpr std::size_t max_opening_bytes = 256 * 1024, max_answer_bytes = 64 * 1024;
inline constexpr std::size_t max_path_bytes = 4095;

}  // namespace vigil::streams
