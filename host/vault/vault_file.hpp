// The vault's SQLite file: made, opened, checked as a file. Private to this folder.
//
// Errors: Errc::io: cut, damaged, or not ours; Errc::unsupported: a newer version wrote it. A file that is refused is left as it is.
#pragma once

#include "host/store/database.hpp"

#include <string>

namespace vigil::vault {

bool vault_exists(const std::string& path);
/// Makes it (mode 0600) when it is not there.
Result<store::Database> open_vault_file(const std::string& path);

/// All of `work` is durable, or nothing of it.
template <class Work>
Result<void> in_transaction(store::Database& database, Work work) {
  TRY_VOID(database.run("BEGIN IMMEDIATE"));
  Result<void> done = work();
  if (done) done = database.run("COMMIT");
  if (!done) database.roll_back();
  return done;
}

}  // namespace vigil::vault
