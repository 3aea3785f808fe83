// The tables, and how an older file becomes a newer one. Private to this folder.
//
// Errors: Errc::unsupported: a newer version wrote it; Errc::io: not ours, or damaged. Nothing is changed in a file that is refused.
#pragma once

#include "host/store/database.hpp"

#include <string>

namespace vigil::store {

/// Opens PATH as a store of the current version. When there is no such file, makes one beside it (mode 0600) and renames it into place.
Result<Database> open_schema(const std::string& path);

}  // namespace vigil::store
