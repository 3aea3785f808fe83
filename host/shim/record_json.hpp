// JSON forms shared by exit.json and the shim's wire; private to this folder.
#pragma once

#include "host/shim/exit_record.hpp"

#include <nlohmann/json_fwd.hpp>

namespace vigil::shim {

nlohmann::json to_json(const ProcessIdentity& process);
nlohmann::json to_json(const protocol::ExitStatus& exit);
nlohmann::json to_json(const ExitRecord& record);

/// The object under `key`.
Result<ProcessIdentity> read_identity(const nlohmann::json& object, const char* key);
Result<protocol::ExitStatus> read_exit_status(const nlohmann::json& object, const char* key);
Result<ExitRecord> read_record(const nlohmann::json& object);

}  // namespace vigil::shim
