#include "host/access/caller.hpp"

#include "shared/base/ids.hpp"

#include <algorithm>

namespace vigil::access {

bool Caller::may(Scope wanted) const {
    if (scopes.contains(wanted)) return true;
    if (wanted == Scope::vault_read) return false;   // who is to see credentials is told so by name
    if (scopes.contains(Scope::admin)) return true;
    return (wanted == Scope::read || wanted == Scope::session) && scopes.contains(Scope::operate);
}

Caller local_caller(uid_t uid, uid_t own) {
    const auto name = "uid " + std::to_string(uid);
    if (uid == 0 || uid == own) return {"", {Scope::admin}, name};
    return {"uid:" + std::to_string(uid), {Scope::read, Scope::operate}, name};
}

Result<std::string> parse_owner(std::string_view text) {
    constexpr std::string_view by_uid = "uid:";
    const auto digits = text.starts_with(by_uid) ? text.substr(by_uid.size()) : std::string_view();
    const bool is_uid = !digits.empty() && digits.size() <= 10 && std::ranges::all_of(digits, [](char each) { return each >= '0' && each <= '9'; });
    if (is_uid || parse_instance_name(text)) return std::string(text);
    return Error(Errc::invalid, "owner: \"" + std::string(text.substr(0, 80)) + "\" is neither a name (a-z, 0-9, -) nor uid:N");
}

std::string to_text(const std::set<Scope>& scopes) {
    std::string text;
    for (const auto scope : scopes) text += (text.empty() ? "" : ",") + std::string(vigil::to_text(scope));
    return text;
}

Result<std::set<Scope>> parse_scopes(std::string_view text) {
    std::set<Scope> scopes;
    while (!text.empty()) {
        const auto word = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        const auto scope = parse_enum<Scope>(word);
        if (!scope || *scope == Scope::session) return Error(Errc::invalid, "scopes: \"" + std::string(word.substr(0, 80)) + "\" is none of read, operate, admin, metrics, vault:read");
        scopes.insert(*scope);
    }
    if (scopes.empty()) return Error(Errc::invalid, "scopes: at least one of read, operate, admin, metrics, vault:read");
    return scopes;
}

namespace {
constexpr std::string_view of_session = "session:";
}

std::string session_scope(std::string_view session) { return std::string(of_session) + std::string(session); }

std::optional<std::string> session_of_scope(std::string_view text) {
    if (!text.starts_with(of_session) || text.size() == of_session.size()) return std::nullopt;
    return std::string(text.substr(of_session.size()));
}

}  // namespace vigil::access
