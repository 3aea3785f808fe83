// A request that was read whole and the answer to it, free of any HTTP library.
//
// Shape:  header names are lower-case; path parameters and query values are percent-decoded. An answer is a Response, a stream of events, or the connection itself.
// Errors: problem documents follow RFC 9457; `code` is ours: a cause code or the class of the error.
#pragma once

#include "host/async/leash.hpp"
#include "shared/base/unique_fd.hpp"

#include <nlohmann/json_fwd.hpp>

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::http {

enum class Method { get, post, put, del };
std::string_view to_text(Method method);  // "GET", ...

/// Who is at the other end: of the Unix socket as the kernel says (SO_PEERCRED), of a TCP connection nobody that is known.
struct Peer {
    pid_t pid = 0;
    uid_t uid = 0;
    bool is_local = true;                           // the Unix socket
    std::string address = "unix";                   // of a TCP connection
};

struct Request {
    Method method = Method::get;
    std::string path;
    std::map<std::string, std::string> query;
    std::map<std::string, std::string> headers;
    std::map<std::string, std::string> parameters;  // {id} of the route's pattern
    std::string body;
    Peer peer;
    std::shared_ptr<async::Leash> leash{};                 // of the answer, when it goes on

    std::optional<std::string> query_value(const std::string& key) const;
    std::optional<std::string> header(const std::string& lower_case_name) const;
    const std::string& parameter(const std::string& name) const;  // of the matched pattern; its absence is our bug
};

struct Response {
    int status = 200;
    std::string content_type;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
};

struct Problem {
    int status = 500;
    std::string code;    // stable, for programs
    std::string title;   // one sentence about the class of the problem
    std::string detail;  // about this one; for people
};

/// The connection itself for the client and somebody else, after "101 Switching Protocols": HTTP has no part in it any more.
struct Handover {
    std::string protocol;                                             // for the Upgrade header; empty: who takes it answers the request, too
    std::function<void(UniqueFd client, std::string sent)> take;      // non-blocking; `sent` was read from the client already
};

Response json_response(int status, const nlohmann::json& value);
Response problem_response(const Problem& problem);
Response empty_response(int status = 204);

/// Path and query of a request target; nullopt when its percent-encoding is broken or it holds a NUL.
struct Target {
    std::vector<std::string> segments;
    std::string path;
    std::map<std::string, std::string> query;
};
std::optional<Target> parse_target(std::string_view target);

}  // namespace vigil::http
