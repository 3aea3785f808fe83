// Who asks, what he may do, and whose instances he sees.
//
// Shape:  owners are names ([a-z0-9-]) or "uid:N"; the empty owner is that of what the local admin made: only those who see everything see it.
#pragma once

#include "shared/base/enum_names.hpp"
#include "shared/base/result.hpp"

#include <sys/types.h>

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace vigil::access {

enum class Scope { read, operate, admin, metrics, vault_read, session };

struct Caller {
    std::string owner;
    std::set<Scope> scopes;                       // operate holds read and session, admin holds all but vault_read
    std::string name;                             // for logs and events: "uid 0", "alice (token 0123456789)"
    std::string session = {};                     // of a token of one sign-in session: the only one that it reaches

    bool may(Scope wanted) const;
    bool sees_all() const { return scopes.contains(Scope::admin); }
    bool sees(const std::string& whose) const { return sees_all() || (!owner.empty() && whose == owner); }
    /// A session of `whose`; a token of one session sees that one alone, of whomever it is.
    bool sees_session(const std::string& whose, const std::string& id) const { return session.empty() ? sees(whose) : id == session; }
};

/// By the peer credentials of a Unix socket; `own` is the daemon's user.
Caller local_caller(uid_t uid, uid_t own);

/// A name as an instance's, or "uid:N".
Result<std::string> parse_owner(std::string_view text);

/// "read,operate"; and back. Errc::invalid names the word that is none; `session` is one: it is no scope that one asks for.
std::string to_text(const std::set<Scope>& scopes);
Result<std::set<Scope>> parse_scopes(std::string_view text);

/// What a token row keeps as scopes of a token of one session: "session:ID"; and back, nullopt: it is no such text.
std::string session_scope(std::string_view session);
std::optional<std::string> session_of_scope(std::string_view text);

}  // namespace vigil::access

namespace vigil {
template <> inline constexpr auto enum_table<access::Scope> = make_enum_table<access::Scope>({
    {access::Scope::read, "read"}, {access::Scope::operate, "operate"}, {access::Scope::admin, "admin"}, {access::Scope::metrics, "metrics"},
    {access::Scope::vault_read, "vault:read"}, {access::Scope::session, "session"}});
}  // namespace vigil
