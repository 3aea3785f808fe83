// The parts of a request that several routes read alike.
#pragma once

#include "host/api/answers.hpp"

#include <optional>
#include <string>

namespace vigil::api {

/// Who the caller is; what a local one calls himself by ?actor= stands before it, of a token's holder it is not taken.
std::string actor_of(const Context& context, const Request& request);
/// By id, name or prefix, as Store::find_instance; another owner's is not there.
Result<store::InstanceRow> visible_instance(const Context& context, const std::string& name);
/// ?run=N; nullopt: the newest.
Result<std::optional<RunNumber>> run_of(const Request& request);
/// A flag of the query: absent or "0" is no, empty or "1" is yes.
Result<bool> flag_of(const Request& request, const std::string& key);
/// The instance of {id}, removed ones too, as it was in ?run=N.
Result<Look> look_at(const Context& context, const Request& request);
/// The id of an existing instance.
Result<InstanceId> existing_id(const Context& context, const Request& request);

}  // namespace vigil::api
