#include "host/vault/vault_audit.hpp"

#include "host/vault/cipher.hpp"

namespace vigil::vault {

using store::Database;
using store::Statement;

namespace {

constexpr char audit_columns[] =
    "SELECT seq, at_unix_us, actor, action, owner, user, provider, outcome, previous, mac FROM audit ORDER BY seq ";

AuditRow read_audit(const Statement& row) {
  return {row.integer(0), row.integer(1), row.text(2), row.text(3), {row.text(4), row.text(5), row.text(6)}, row.text(7)};
}

std::string mac_of(const VaultKey& key, const AuditRow& row, std::string_view previous) {
  return hmac_sha256(key.key, bound_text({"vigil vault audit 1", std::to_string(row.seq), std::to_string(row.at_unix_us), row.actor,
                                          row.action, row.of.owner, row.of.user, row.of.provider, row.outcome, previous}));
}

struct AuditHead {
  std::uint64_t seq = 0;
  std::string mac;
};

Result<AuditHead> read_head(const Database& database) {
  TRY(row, database.prepare("SELECT seq, mac FROM audit_head"));
  TRY(has_row, row.step());
  return has_row ? AuditHead{row.integer(0), row.text(1)} : AuditHead{};
}

}  // namespace

Result<void> append_audit(Database& database, const VaultKey& key, AuditRow row) {
  TRY(head, read_head(database));
  row.seq = head.seq + 1;
  const auto mac = mac_of(key, row, head.mac);
  TRY(insert,
      database.prepare(
          "INSERT INTO audit(seq, at_unix_us, actor, action, owner, user, provider, outcome, previous, mac) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  insert.bind(1, row.seq).bind(2, row.at_unix_us).bind(3, row.actor).bind(4, row.action).bind(5, row.of.owner).bind(6, row.of.user);
  TRY_VOID(insert.bind(7, row.of.provider).bind(8, row.outcome).bind(9, head.mac).bind(10, mac).run());
  TRY(newest, database.prepare("INSERT OR REPLACE INTO audit_head(one, seq, mac) VALUES(1, ?, ?)"));
  TRY_VOID(newest.bind(1, row.seq).bind(2, mac).run());
  TRY(drop, database.prepare("DELETE FROM audit WHERE seq <= ?"));
  return drop.bind(1, row.seq > max_audit_rows ? row.seq - max_audit_rows : 0).run();
}

Result<std::vector<AuditRow>> newest_audit(const Database& database, std::size_t limit) {
  TRY(rows, database.prepare((std::string(audit_columns) + "DESC LIMIT ?").c_str()));
  rows.bind(1, std::uint64_t{limit});
  std::vector<AuditRow> newest;
  for (;;) {
    TRY(has_row, rows.step());
    if (!has_row) return newest;
    newest.push_back(read_audit(rows));
  }
}

Result<void> check_audit(const Database& database, const VaultKey& key) {
  TRY(rows, database.prepare(audit_columns));
  AuditHead last;
  for (;;) {
    TRY(has_row, rows.step());
    if (!has_row) break;
    const auto row = read_audit(rows);
    const bool follows = last.seq == 0 || (row.seq == last.seq + 1 && rows.text(8) == last.mac);
    if (!follows || rows.text(9) != mac_of(key, row, rows.text(8)))
      return Error(Errc::io, "its audit log was changed at row " + std::to_string(row.seq));
    last = {row.seq, rows.text(9)};
  }
  TRY(head, read_head(database));
  if (head.seq != last.seq || head.mac != last.mac) return Error(Errc::io, "its audit log lacks rows behind " + std::to_string(last.seq));
  return {};
}

}  // namespace vigil::vault
