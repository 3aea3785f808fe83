// The tables, and how an older file becomes a newer one. Private to this folder.
//
// Errors: Errc::unsupported: a newer version wrote it; Errc::io: not ours, or damaged. Nothing is changed in a file that is refused.
#pragma once

#include "host/store/database.hpp"

#include <string>

namespace vigil::store {

enum class Age {
  any,            // an older file is migrated; when there is none, one is made beside it (mode 0600) and renamed into place
  current_only,   // neither: Errc::not_found, Errc::unsupported
};

/// Opens PATH as a store of the current version.
Result<Database> open_schema(const std::string& path, Age age = Age::any);

}  // namespace vigil::store
