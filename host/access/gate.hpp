// A request becomes a caller, or the answer that refuses it.
//
// Errors: 401 with WWW-Authenticate for no token where one is needed, and for one that is unknown, revoked or over; 403 for a scope that is missing; 429 with Retry-After.
//         What is wrong with a token is told in the same words whichever it is: who guesses learns nothing.
// Thread: the event thread.
#pragma once

#include "host/access/caller.hpp"
#include "host/access/leashes.hpp"
#include "host/access/throttle.hpp"
#include "host/http/message.hpp"
#include "host/store/store.hpp"
#include "shared/base/clock.hpp"

#include <functional>
#include <optional>
#include <variant>

namespace vigil::access {

class Gate {
  public:
    /// `own`: the daemon's user. The store and the clock outlive it.
    Gate(const store::Store& store, const Clock& clock, uid_t own) : store_(store), clock_(clock), own_(own) {}

    std::variant<Caller, http::Response> admit(const http::Request& request);
    /// Has the scope, and has not asked too much lately.
    std::optional<http::Response> refuse(const Caller& caller, Scope needed);
    /// The token was revoked: what goes on by its right ends. How many answers that were.
    std::size_t end_answers(const std::string& token) { return leashes_.end(token); }
    /// `arm` is told when end_expired() is wanted next: the earliest expiry of a token by whose right something goes on; nullopt: of none.
    void arm_by(std::function<void(std::optional<UnixUs>)> arm) { arm_ = std::move(arm); }
    /// Tokens whose time is over: what goes on by their right ends.
    void end_expired();
    /// Over TCP, before the body is read: whoever has no token gets no further than GET /healthz.
    std::optional<http::Response> refuse_stranger(const http::Request& request);

  private:
    std::variant<Caller, http::Response> by_token(const std::string& header, const http::Request& request);
    std::optional<http::Response> too_often(const std::string& key, const Allowance& allowance);

    const store::Store& store_;
    const Clock& clock_;
    uid_t own_;
    Throttle throttle_;
    Leashes leashes_;
    std::function<void(std::optional<UnixUs>)> arm_;
};

/// 401, 403 and 429 in the API's form.
http::Response unauthorized(const std::string& detail);
http::Response forbidden(const std::string& detail);

}  // namespace vigil::access
