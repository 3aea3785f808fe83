// The parts of a request that several routes read alike.
#pragma once

#include "host/api/answers.hpp"

#include <optional>
#include <string>

namespace vigil::api {

/// ?actor=, else "uid N".
std::string actor_of(const Request& request);
/// ?run=N; nullopt: the newest.
Result<std::optional<RunNumber>> run_of(const Request& request);
/// A flag of the query: absent or "0" is no, empty or "1" is yes.
Result<bool> flag_of(const Request& request, const std::string& key);
/// The instance of {id}, removed ones too, as it was in ?run=N.
Result<Look> look_at(const Context& context, const Request& request);
/// The id of an existing instance.
Result<InstanceId> existing_id(const Context& context, const Request& request);

}  // namespace vigil::api
