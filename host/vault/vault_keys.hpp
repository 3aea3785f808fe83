// The keys in the vault's file, sealed under the master key: one for credentials, one for the chain of the audit log. Private to this folder.
//
// Errors: Errc::denied: they are sealed under another master key, which is named by its id; Errc::io: damaged.
#pragma once

#include "host/store/database.hpp"
#include "host/vault/master_key.hpp"

#include <string>

namespace vigil::vault {

struct VaultKey {
  std::string id;
  Secret key;
};

struct VaultKeys {
  VaultKey records, audit;
};

/// Makes them in a new file.
Result<VaultKeys> load_keys(store::Database& database, const MasterKey& master);
/// Nothing when they are sealed under `now` already.
Result<bool> seal_keys_anew(store::Database& database, const MasterKey& before, const MasterKey& now);
Result<void> write_key(store::Database& database, const MasterKey& master, std::string_view purpose, const VaultKey& key);
VaultKey make_vault_key();

}  // namespace vigil::vault
