// Where the daemon is, and what says who we are: its Unix socket, or its API over TCP with a token from a file.
//
// Errors: read_token: Errc::not_found, or Errc::denied when others can read the file. A token is never an argument: those are everybody's to read.
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <string>

namespace vigil::cli {

struct DaemonAddress {
  std::string socket;
  std::string api;                               // "http://127.0.0.1:8080"; empty: the socket
  std::string token;                             // empty: none

  std::string name() const { return api.empty() ? socket : api; }
  std::string url(const std::string& path) const { return (api.empty() ? "http://vigil" : api) + path; }
  /// A header's line, with its end; empty without a token.
  std::string authorization() const { return token.empty() ? "" : "Authorization: Bearer " + token; }
};

Result<std::string> read_token(const std::string& path);

/// A connection of our own, for a request that becomes a stream.
Result<UniqueFd> connect_to(const DaemonAddress& daemon);

}  // namespace vigil::cli
