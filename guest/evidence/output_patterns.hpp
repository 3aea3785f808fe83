// What programs say about their own end, recognised in the last lines of their output.
//
// Shape:  pure; one table of patterns, newest line first. A pattern names a cause and finds its subject within the line.
// Source: messages of ld.so, Node.js, Python, Perl, Ruby, shells, env and the C library as Debian 12 and 13 ship them.
#pragma once

#include "shared/protocol/cause.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::evidence {

struct OutputFinding {
  protocol::CauseCode code = protocol::CauseCode::unknown;
  std::string subject;      // the library, module, path or lock; the port in decimal or empty for port_taken
  std::string line;
};

/// The newest line of `output` that one of the patterns understands.
std::optional<OutputFinding> find_in_output(std::string_view output);

/// The port that a line about an address in use names: ":8080", "port 8080", "('0.0.0.0', 8080)"; times of day are not ports.
std::optional<std::uint16_t> port_in_line(std::string_view line);

/// The first absolute path in a line: 'bind(5, {AF=1 "/run/x"}', "unix:/run/x failed", "remove /tmp/.X1-lock".
std::optional<std::string> path_in_line(std::string_view line);

/// The last `count` lines that are not blank, oldest first, made safe to show and cut to the 512 bytes of an evidence line.
std::vector<std::string> last_lines(std::string_view output, std::size_t count);
std::string evidence_line(std::string_view line);

}  // namespace vigil::guest::evidence
