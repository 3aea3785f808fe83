#include "host/api/error_to_http.hpp"

#include <spdlog/spdlog.h>

#include <cstdlib>

namespace vigil::api {

namespace {

struct Mapped {
    int status;
    const char* title;
};

Mapped map(Errc code) {
    switch (code) {
        case Errc::internal: return {500, "internal error"};
        case Errc::invalid: return {400, "the request is wrong"};
        case Errc::not_found: return {404, "not found"};
        case Errc::conflict: return {409, "this cannot be done now"};
        case Errc::denied: return {403, "not allowed"};
        case Errc::limit: return {413, "a limit was exceeded"};
        case Errc::timeout: return {504, "no answer in time"};
        case Errc::unavailable: return {503, "not there at the moment"};
        case Errc::io: return {500, "the operating system refused"};
        case Errc::protocol: return {502, "the other side broke the protocol"};
        case Errc::unsupported: return {501, "not supported"};
    }
    std::abort();
}

}  // namespace

http::Response to_response(const Error& error) {
    if (error.message().find("host.disk_full") != std::string::npos)
        return http::problem_response({507, "host.disk_full", "the host's disk is full", error.message()});
    const auto [status, title] = map(error.code());
    if (error.code() != Errc::internal) return http::problem_response({status, std::string(vigil::to_text(error.code())), title, error.message()});
    spdlog::error("api.internal_error err=\"{}\"", error.message());
    return http::problem_response({status, "internal", title, "see the daemon's log"});
}

http::Response to_old_response(const Error& error) {
    const auto status = to_response(error).status;
    return http::json_response(status, nlohmann::json{{"error", status == 500 ? "internal error" : error.message()}});
}

}  // namespace vigil::api
