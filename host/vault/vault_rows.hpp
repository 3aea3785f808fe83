// Rows of credentials: everything in one is bound to its sealed bytes, so none can be changed or swapped unseen. Private to this folder.
#pragma once

#include "host/store/database.hpp"
#include "host/vault/vault.hpp"
#include "host/vault/vault_keys.hpp"

namespace vigil::vault {

struct SealedRow {
  Entry entry;
  std::string sealed;   // nonce, tag, ciphertext
};

Result<std::vector<SealedRow>> read_rows(const store::Database& database, const VaultKey& audit_key);
Result<std::optional<SealedRow>> read_row(const store::Database& database, const VaultKey& audit_key, const EntryKey& of);
/// Seals under `keys.records` and replaces what was there.
Result<void> write_row(store::Database& database, const VaultKeys& keys, Entry entry, const Secret& credential);
Result<void> delete_row(store::Database& database, const EntryKey& of);
Result<void> write_check(store::Database& database, const VaultKey& audit_key, const EntryKey& of, const Check& check);
/// Errc::io naming the credential when it does not fit.
Result<Secret> open_row(const SealedRow& row, const VaultKey& records_key);

}  // namespace vigil::vault
