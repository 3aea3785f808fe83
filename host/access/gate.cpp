#include "host/access/gate.hpp"

#include "host/access/token.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace vigil::access {

namespace {

constexpr Allowance of_readers{200, 400}, of_operators{20, 60}, of_guesses{5, 20};
constexpr const char* open_path = "/healthz";

bool has_scheme(const std::string& header) {
    constexpr std::string_view scheme = "bearer ";
    return header.size() > scheme.size() && std::ranges::equal(std::string_view(header).substr(0, scheme.size()), scheme, [](char given, char wanted) {
               return (given >= 'A' && given <= 'Z' ? static_cast<char>(given + 32) : given) == wanted;
           });
}

bool is_valid(const store::TokenRow& row, UnixUs now) { return !row.revoked_unix_us && (!row.expires_unix_us || now < *row.expires_unix_us); }

}  // namespace

http::Response unauthorized(const std::string& detail) {
    auto response = http::problem_response({401, "unauthorized", "who asks is not known", detail});
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"vigil\"");
    return response;
}

http::Response forbidden(const std::string& detail) { return http::problem_response({403, "denied", "not allowed", detail}); }

std::optional<http::Response> Gate::too_often(const std::string& key, const Allowance& allowance) {
    const auto seconds = throttle_.ask(key, allowance, clock_.mono_us());
    if (seconds == 0) return std::nullopt;
    auto response = http::problem_response({429, "limit", "too many requests", "come again in " + std::to_string(seconds) + " s; of one caller " +
                                                                                    std::to_string(static_cast<int>(allowance.per_second)) + " of this kind a second are answered"});
    response.headers.emplace_back("Retry-After", std::to_string(seconds));
    return response;
}

std::variant<Caller, http::Response> Gate::by_token(const std::string& header, const http::Request& request) {
    const auto refuse_it = [&](const std::string& detail) -> std::variant<Caller, http::Response> {
        if (auto wait = too_often("guess " + request.peer.address, of_guesses)) return std::move(*wait);
        return unauthorized(detail);
    };
    if (!has_scheme(header)) return refuse_it("the Authorization header is not \"Bearer TOKEN\"; tokens are made by vigil token create");
    const auto text = std::string_view(header).substr(std::min(header.find_first_not_of(' ', 7), header.size()));
    const auto id = id_of_token(text);
    const auto row = id ? store_.find_token(*id) : Result<std::optional<store::TokenRow>>(std::optional<store::TokenRow>());
    if (!row) {
        spdlog::error("access.token_not_read err=\"{}\"", row.error().message());
        return http::problem_response({503, "unavailable", "not there at the moment", "the store of tokens cannot be read; see the daemon's log"});
    }
    static const std::string of_nobody(64, '0');
    const bool is_right = fits(text, *row ? (*row)->sha256 : of_nobody);   // also of an unknown one: who guesses ids learns nothing by the time it takes
    if (!*row || !is_right || !is_valid(**row, clock_.unix_us())) {
        spdlog::warn("access.token_refused id={} from={}", id.value_or("none"), request.peer.address);
        return refuse_it("this token is unknown, revoked, or its time is over; a new one is made by vigil token create");
    }
    leashes_.hold(*id, request.leash, (*row)->expires_unix_us);
    if (arm_) arm_(leashes_.next_expiry());
    if (auto session = session_of_scope((*row)->scopes))
        return Caller{(*row)->owner, {Scope::session}, "session " + *session + " (token " + *id + ")", *session};
    const auto scopes = parse_scopes((*row)->scopes);
    if (!scopes) return refuse_it("this token was written by another version");
    return Caller{(*row)->owner, *scopes, (*row)->owner + " (token " + *id + ")"};
}

void Gate::end_expired() {
    for (const auto& [token, ended] : leashes_.end_expired(clock_.unix_us())) spdlog::info("access.token_expired id={} ended={}", token, ended);
    if (arm_) arm_(leashes_.next_expiry());
}

std::variant<Caller, http::Response> Gate::admit(const http::Request& request) {
    const auto header = request.header("authorization");
    if (header) return by_token(*header, request);
    if (request.peer.is_local) return local_caller(request.peer.uid, own_);
    return unauthorized("over TCP every request but GET /healthz needs a token: Authorization: Bearer TOKEN; vigil token create makes one, over the daemon's Unix socket");
}

std::optional<http::Response> Gate::refuse_stranger(const http::Request& request) {
    const bool is_open = request.path == open_path && request.method == http::Method::get;
    if (request.peer.is_local || is_open) return std::nullopt;
    auto admitted = admit(request);
    if (auto* refusal = std::get_if<http::Response>(&admitted)) return std::move(*refusal);
    return std::nullopt;
}

std::optional<http::Response> Gate::refuse(const Caller& caller, Scope needed) {
    if (!caller.may(needed) && !caller.session.empty())
        return forbidden("this token is of the session " + caller.session + ", and good for its routes under /api/auth alone");
    if (!caller.may(needed))
        return forbidden(caller.name + " has the scopes " + to_text(caller.scopes) + "; this needs " + std::string(vigil::to_text(needed)) +
                         ": ask for a token with it (vigil token create --scope " + std::string(vigil::to_text(needed)) + ")");
    if (caller.owner.empty() && caller.session.empty()) return std::nullopt;   // the local admin
    const bool looks = needed == Scope::read || needed == Scope::metrics;
    return too_often(caller.name + (looks ? " reads" : " operates"), looks ? of_readers : of_operators);
}

}  // namespace vigil::access
