#include "host/vault/vault_file.hpp"

#include "shared/base/unique_fd.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace vigil::vault {

using store::Database;
using store::OpenMode;

namespace {

constexpr std::uint64_t vault_application = 0x56675674;   // "VgVt", at byte 68 of the file
constexpr std::uint64_t vault_version = 1;

constexpr char vault_schema[] = R"sql(
PRAGMA application_id=1449612916;
BEGIN IMMEDIATE;
CREATE TABLE keys(
  id TEXT PRIMARY KEY, purpose TEXT NOT NULL UNIQUE, master TEXT NOT NULL, sealed TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE credentials(
  owner TEXT NOT NULL, user TEXT NOT NULL, provider TEXT NOT NULL, version INTEGER NOT NULL, stored_unix_us INTEGER NOT NULL, bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL, shape TEXT NOT NULL, session TEXT NOT NULL, key TEXT NOT NULL REFERENCES keys(id), sealed TEXT NOT NULL,
  checked TEXT NOT NULL, checked_mac TEXT NOT NULL, PRIMARY KEY(owner, user, provider)) STRICT, WITHOUT ROWID;
CREATE TABLE audit(
  seq INTEGER PRIMARY KEY, at_unix_us INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, owner TEXT NOT NULL, user TEXT NOT NULL,
  provider TEXT NOT NULL, outcome TEXT NOT NULL, previous TEXT NOT NULL, mac TEXT NOT NULL) STRICT;
CREATE TABLE audit_head(one INTEGER PRIMARY KEY CHECK(one = 1), seq INTEGER NOT NULL, mac TEXT NOT NULL) STRICT;
PRAGMA user_version=1;
COMMIT;
)sql";

Result<void> make_vault_file(const std::string& path) {
  const auto draft = path + ".new";
  std::error_code ignored;
  for (const auto* suffix : {"", "-wal", "-shm", "-journal"}) std::filesystem::remove(draft + suffix, ignored);
  const UniqueFd file(::open(draft.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (!file) return Error::from_errno("create " + draft, errno);
  {
    TRY(database, Database::open(draft, OpenMode::existing));
    TRY_VOID(database.run(vault_schema));
  }
  if (::fsync(file.get()) != 0) return Error::from_errno("sync " + draft, errno);
  if (std::rename(draft.c_str(), path.c_str()) != 0) return Error::from_errno("rename " + draft, errno);
  return {};
}

Result<void> check_vault_file(Database& database, const std::string& path) {
  TRY(application, database.integer("PRAGMA application_id"));
  if (application != vault_application) return Error(Errc::io, path + " is a database, but no vault of ours; it is left as it is");
  TRY(version, database.integer("PRAGMA user_version"));
  if (version != vault_version) return Error(Errc::unsupported, path + " was written by another version; it is left as it is");
  TRY(verdict, database.text("PRAGMA integrity_check(1)"));
  if (verdict != "ok") return Error(Errc::io, path + " is damaged: " + verdict + "; it is left as it is");
  return {};
}

}  // namespace

bool vault_exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

Result<Database> open_vault_file(const std::string& path) {
  std::error_code failed;
  if (!vault_exists(path)) TRY_VOID(make_vault_file(path));
  if (std::filesystem::file_size(path, failed) == 0)
    return Error(Errc::io, path + " is empty: it was cut off; put a copy back, or move it away to begin anew");
  TRY(database, Database::open(path, OpenMode::existing));
  TRY_VOID(check_vault_file(database, path));
  TRY(mode, database.text("PRAGMA journal_mode=WAL"));
  if (mode != "wal") return Error(Errc::io, path + ": its file system cannot hold a write-ahead log (journal mode " + mode + ")");
  TRY_VOID(database.run("PRAGMA synchronous=FULL"));
  TRY_VOID(database.run("PRAGMA secure_delete=ON"));
  return std::move(database);
}

}  // namespace vigil::vault
