// Who has touched which credential, and what became of it: rows chained by an HMAC. Private to this folder.
//
// Shape:  each row's mac is over itself and its predecessor's; the newest is written down once more, so that no row may be missing at the end either.
//         The oldest are dropped beyond max_audit_rows.
#pragma once

#include "host/store/database.hpp"
#include "host/vault/vault.hpp"
#include "host/vault/vault_keys.hpp"

namespace vigil::vault {

inline constexpr std::uint64_t max_audit_rows = 100'000;

/// Within the transaction of what it tells of.
Result<void> append_audit(store::Database& database, const VaultKey& key, AuditRow row);
Result<std::vector<AuditRow>> newest_audit(const store::Database& database, std::size_t limit);
/// Errc::io naming the first row that does not fit.
Result<void> check_audit(const store::Database& database, const VaultKey& key);

}  // namespace vigil::vault
