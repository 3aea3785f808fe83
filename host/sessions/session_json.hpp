// Events and sessions as JSON: what the log keeps and what the API serves.
//
// Shape:  the sign-in address is in what is served and never in what is kept. Errors: decode_event: Errc::invalid naming the member, Errc::unsupported for an unknown type.
#pragma once

#include "host/sessions/session.hpp"
#include "shared/base/result.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace vigil::sessions {

/// "opened", "vm_given", ...
std::string event_type(const EventBody& body);
std::string encode_body(const EventBody& body);
Result<EventBody> decode_body(std::string_view type, std::string_view json);

/// {"seq","session","type","at_unix_us","state","body"}, with the address while there is one.
/// Takes the sign-in address out of the text of an event that is served: nobody needs it after the end, and it holds secrets of the flow.
void forget_url(std::string& served);
std::string served_event(const Event& event, State state);
nlohmann::json session_json(const Session& session);

}  // namespace vigil::sessions
