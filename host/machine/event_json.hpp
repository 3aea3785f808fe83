// Each event body as JSON; private to this folder. to_json writes what parse_body reads.
#pragma once

#include "host/machine/vm_event.hpp"
#include "shared/base/result.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace vigil::machine {

/// All bodies but Reported.
std::string host_body_json(const EventBody& body);
Result<EventBody> parse_host_body(std::string_view type, std::string_view text);

std::string reported_json(const Reported& reported);
/// Which build the agent has become, of a report that says so; nullopt: it says something else.
std::optional<std::string> upgraded_build(const protocol::OtherReport& report);
Result<EventBody> parse_reported(std::string_view type, std::string_view text);

/// {"code":n} | {"signal":n,"core":b} | {"unknown":reason}
nlohmann::json exit_json(const protocol::ExitStatus& exit);
Result<protocol::ExitStatus> parse_exit(const nlohmann::json& object, const char* key);

}  // namespace vigil::machine
