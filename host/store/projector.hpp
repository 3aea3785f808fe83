// Which tables are projections of the log, and how they are filled from elsewhere than a batch. Private to this folder.
#pragma once

#include "host/store/database.hpp"

namespace vigil::store {

inline constexpr const char* projected_tables[] = {"instances", "streams", "partials", "origins", "tokens"};

/// Fills the empty projected tables with what the checkpoints hold: of each instance, how they stood after the event that the checkpoint names.
Result<void> restore_checkpoints(Database& database);

/// Puts the rows of temporary tables of the same names in the place of those of the projected tables.
Result<void> replace_by_shadows(Database& database);

}  // namespace vigil::store
