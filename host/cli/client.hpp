// The daemon's API as the command line uses it.
//
// Errors: Errc::unavailable: nobody serves the socket (exit code 3). A problem document of the daemon becomes an Error with its detail: 404 not_found,
//         409 conflict, 400 invalid, 401 and 403 denied, 503 unavailable, the rest io.
// Thread: blocking; one request at a time.
#pragma once

#include "host/cli/daemon_address.hpp"
#include "shared/base/result.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace vigil::cli {

struct StreamedEvent {
  std::string id, type, data;
};

class Client {
public:
  explicit Client(DaemonAddress daemon);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Result<nlohmann::json> get(const std::string& path);
  Result<nlohmann::json> post(const std::string& path, const nlohmann::json& body);
  Result<void> remove(const std::string& path);
  Result<std::string> bytes(const std::string& path);
  /// Calls `on_event` for each event until it returns false (ok) or the stream ends (Errc::unavailable).
  Result<void> follow(const std::string& path, const std::function<bool(const StreamedEvent&)>& on_event);

private:
  struct Handle;
  Result<std::string> request(const char* method, const std::string& path, const std::string* body);
  DaemonAddress daemon_;
  std::unique_ptr<Handle> handle_;
};

/// follow() ended because the daemon had said all, as of a stream that it was asked not to follow on.
bool is_end_of_stream(const Result<void>& followed);

/// What a problem document says, as an Error.
Error problem_error(long status, const std::string& body);

/// One path segment, percent-encoded.
std::string segment(std::string_view text);

}  // namespace vigil::cli
