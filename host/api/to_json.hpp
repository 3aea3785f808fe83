// What is known of a VM as the JSON that the API serves; one function an object of openapi.yaml.
#pragma once

#include "host/api/vm_control.hpp"
#include "host/verdict/verdict.hpp"
#include "shared/protocol/report.hpp"

#include <nlohmann/json_fwd.hpp>

namespace vigil::desktop {
class Server;
}

namespace vigil::egress {
struct Counters;
}

namespace vigil::ports {
class Server;
}

namespace vigil::api {

nlohmann::json to_json(const protocol::Cause& cause);        // the wire's members plus sentence, advice, severity
nlohmann::json to_json(const protocol::ServiceReport& report);
nlohmann::json to_json(const machine::CrashRecord& crash, RunNumber run);
nlohmann::json to_json(const verdict::Finding& finding);
nlohmann::json instance_json(const Look& look);
nlohmann::json why_json(const machine::VmState& state, const std::vector<std::string>& console_tail);
/// All deaths of a run.
nlohmann::json crashes_json(const machine::Run& run);
nlohmann::json services_json(const machine::VmState& state);
nlohmann::json desktop_json(const desktop::Server& server);   // its door and what became of the viewers
nlohmann::json egress_json(const egress::Counters& counters);
nlohmann::json exit_json(const protocol::ExitStatus& status);  // of a program in the guest: code, signal and core, or unknown
nlohmann::json ports_json(const ports::Server& server);      // its doors and what became of the requests

}  // namespace vigil::api
