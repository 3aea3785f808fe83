#include "host/vault/vault_keys.hpp"

#include "host/vault/cipher.hpp"
#include "shared/base/encoding.hpp"

namespace vigil::vault {

using store::Database;

namespace {

constexpr std::string_view of_records = "records", of_audit = "audit";

std::string bound_to_key(std::string_view purpose, std::string_view id, std::string_view master) {
  return bound_text({"vigil vault key 1", purpose, id, master});
}

Result<VaultKey> read_key(Database& database, const MasterKey& master, std::string_view purpose) {
  TRY(row, database.prepare("SELECT id, master, sealed FROM keys WHERE purpose = ?"));
  TRY(has_row, row.bind(1, purpose).step());
  if (!has_row) return Error(Errc::io, "the vault has no key for its " + std::string(purpose) + ": it was damaged");
  VaultKey key;
  key.id = row.text(0);
  if (row.text(1) != master.id)
    return Error(Errc::denied, "the vault is sealed under the master key " + row.text(1) + ", and " + master.source + " is " + master.id +
                                   ": name the right file with --vault-key, or, to change the key, the old one with --vault-old-key");
  TRY(sealed, from_base64(row.text(2)));
  auto opened = unseal(master.key, bound_to_key(purpose, key.id, master.id), sealed);
  if (!opened) return opened.error().with_context("the vault's key " + key.id);
  key.key = std::move(*opened);
  return key;
}

}  // namespace

VaultKey make_vault_key() {
  VaultKey key;
  key.id = random_hex(8);
  key.key = random_key();
  return key;
}

Result<void> write_key(Database& database, const MasterKey& master, std::string_view purpose, const VaultKey& key) {
  TRY(row, database.prepare("INSERT OR REPLACE INTO keys(id, purpose, master, sealed) VALUES(?, ?, ?, ?)"));
  const auto sealed = seal(master.key, bound_to_key(purpose, key.id, master.id), key.key.view());
  return row.bind(1, key.id).bind(2, purpose).bind(3, master.id).bind(4, to_base64(sealed)).run();
}

Result<VaultKeys> load_keys(Database& database, const MasterKey& master) {
  TRY(count, database.integer("SELECT count(*) FROM keys"));
  if (count == 0) {
    TRY(credentials, database.integer("SELECT count(*) FROM credentials"));
    if (credentials != 0) return Error(Errc::io, "the vault has credentials, but not the key that they are sealed under: it was damaged");
    for (const auto purpose : {of_records, of_audit}) TRY_VOID(write_key(database, master, purpose, make_vault_key()));
  }
  TRY(records, read_key(database, master, of_records));
  TRY(audit, read_key(database, master, of_audit));
  VaultKeys keys;
  keys.records = std::move(records);
  keys.audit = std::move(audit);
  return keys;
}

Result<bool> seal_keys_anew(Database& database, const MasterKey& before, const MasterKey& now) {
  TRY(row, database.prepare("SELECT count(*) FROM keys WHERE master != ?"));
  TRY(has_row, row.bind(1, now.id).step());
  if (!has_row || row.integer(0) == 0) return false;
  row.reset();
  TRY(keys, load_keys(database, before));
  TRY_VOID(write_key(database, now, of_records, keys.records));
  TRY_VOID(write_key(database, now, of_audit, keys.audit));
  return true;
}

}  // namespace vigil::vault
