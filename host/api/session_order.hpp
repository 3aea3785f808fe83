// What a request for a sign-in wants, and whose sessions a caller sees; shared by /v1/sessions and the older routes.
#pragma once

#include "host/api/answers.hpp"
#include "host/sessions/sessions.hpp"

#include <nlohmann/json_fwd.hpp>

namespace vigil::api {

/// Errc::invalid naming the member; Errc::denied for another's owner; Errc::not_found for a VM that is not the caller's.
Result<sessions::Opened> parse_session_order(const Context& context, const nlohmann::json& order, const std::string& actor);
/// Another owner's is not there.
Result<const sessions::Session*> visible_session(const Context& context, const std::string& id);
/// In the shape of the earlier service, with the sign-in address.
nlohmann::json old_session(const Context& context, const sessions::Session& session);
/// "codex, claude_code, ..."
std::vector<std::string> provider_names();

}  // namespace vigil::api
