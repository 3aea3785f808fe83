#include "host/vault/vault_rows.hpp"

#include "host/vault/cipher.hpp"
#include "shared/base/encoding.hpp"

#include <charconv>

namespace vigil::vault {

using store::Database;
using store::Statement;

namespace {

constexpr std::string_view row_columns =
    "SELECT owner, user, provider, version, stored_unix_us, bytes, sha256, shape, session, key, sealed, checked, checked_mac FROM credentials ";

std::string name_of(const EntryKey& of) { return of.user + "/" + of.provider + (of.owner.empty() ? "" : " of " + of.owner); }

std::string bound_to_row(const Entry& entry) {
  return bound_text({"vigil vault credential 1", entry.of.owner, entry.of.user, entry.of.provider, std::to_string(entry.version),
                     std::to_string(entry.stored_unix_us), std::to_string(entry.bytes), entry.sha256, entry.shape, entry.session,
                     entry.key});
}

std::string check_text(const Check& check) {
  return std::string(check.valid ? "1" : "0") + " " + std::to_string(check.at_unix_us) + " " + check.how;
}

std::string check_mac(const VaultKey& key, const EntryKey& of, std::string_view text) {
  return hmac_sha256(key.key, bound_text({"vigil vault check 1", of.owner, of.user, of.provider, text}));
}

Check parse_check(std::string_view text) {
  Check check;
  check.valid = text.starts_with("1");
  text.remove_prefix(std::min<std::size_t>(text.size(), 2));
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), check.at_unix_us);
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  check.how = text.substr(std::min<std::size_t>(text.size(), 1));
  return check;
}

Result<SealedRow> row_of(const Statement& row, const VaultKey& audit_key) {
  SealedRow read;
  auto& entry = read.entry;
  entry.of = {row.text(0), row.text(1), row.text(2)};
  entry.version = row.integer(3);
  entry.stored_unix_us = row.integer(4);
  entry.bytes = row.integer(5);
  entry.sha256 = row.text(6);
  entry.shape = row.text(7);
  entry.session = row.text(8);
  entry.key = row.text(9);
  auto sealed = from_base64(row.text(10));
  if (!sealed) return Error(Errc::io, "the credential " + name_of(entry.of) + " was damaged");
  read.sealed = std::move(*sealed);
  const auto checked = row.text(11);
  if (checked.empty()) return read;
  if (row.text(12) != check_mac(audit_key, entry.of, checked))
    return Error(Errc::io, "what is known of the validity of " + name_of(entry.of) + " was changed");
  entry.check = parse_check(checked);
  return read;
}

}  // namespace

Result<std::vector<SealedRow>> read_rows(const Database& database, const VaultKey& audit_key) {
  TRY(rows, database.prepare((std::string(row_columns) + "ORDER BY owner, user, provider").c_str()));
  std::vector<SealedRow> all;
  for (;;) {
    TRY(has_row, rows.step());
    if (!has_row) return all;
    TRY(row, row_of(rows, audit_key));
    all.push_back(std::move(row));
  }
}

Result<std::optional<SealedRow>> read_row(const Database& database, const VaultKey& audit_key, const EntryKey& of) {
  TRY(found, database.prepare((std::string(row_columns) + "WHERE owner = ? AND user = ? AND provider = ?").c_str()));
  TRY(has_row, found.bind(1, of.owner).bind(2, of.user).bind(3, of.provider).step());
  if (!has_row) return std::optional<SealedRow>();
  TRY(row, row_of(found, audit_key));
  return std::optional(std::move(row));
}

Result<void> write_row(Database& database, const VaultKeys& keys, Entry entry, const Secret& credential) {
  entry.key = keys.records.id;
  const auto sealed = seal(keys.records.key, bound_to_row(entry), credential.view());
  const auto checked = entry.check ? check_text(*entry.check) : "";
  const auto mac = entry.check ? check_mac(keys.audit, entry.of, checked) : "";
  TRY(row,
      database.prepare(
          "INSERT OR REPLACE INTO credentials(owner, user, provider, version, stored_unix_us, bytes, sha256, shape, session, key, sealed, checked, "
          "checked_mac) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  row.bind(1, entry.of.owner).bind(2, entry.of.user).bind(3, entry.of.provider).bind(4, entry.version).bind(5, entry.stored_unix_us);
  row.bind(6, entry.bytes).bind(7, entry.sha256).bind(8, entry.shape).bind(9, entry.session).bind(10, entry.key);
  return row.bind(11, to_base64(sealed)).bind(12, checked).bind(13, mac).run();
}

Result<void> delete_row(Database& database, const EntryKey& of) {
  TRY(row, database.prepare("DELETE FROM credentials WHERE owner = ? AND user = ? AND provider = ?"));
  return row.bind(1, of.owner).bind(2, of.user).bind(3, of.provider).run();
}

Result<void> write_check(Database& database, const VaultKey& audit_key, const EntryKey& of, const Check& check) {
  const auto text = check_text(check);
  TRY(row, database.prepare("UPDATE credentials SET checked = ?, checked_mac = ? WHERE owner = ? AND user = ? AND provider = ?"));
  return row.bind(1, text).bind(2, check_mac(audit_key, of, text)).bind(3, of.owner).bind(4, of.user).bind(5, of.provider).run();
}

Result<Secret> open_row(const SealedRow& row, const VaultKey& records_key) {
  const auto about = "the credential " + name_of(row.entry.of);
  if (row.entry.key != records_key.id) return Error(Errc::io, about + " is sealed under a key that the vault has not");
  auto opened = unseal(records_key.key, bound_to_row(row.entry), row.sealed);
  if (!opened) return opened.error().with_context(about);
  return std::move(*opened);
}

}  // namespace vigil::vault
