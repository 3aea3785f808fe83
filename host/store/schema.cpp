#include "host/store/schema.hpp"

#include "host/store/projector.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace vigil::store {

namespace {

constexpr std::uint64_t application_id = 0x5667494c;   // "VgIL", at byte 68 of the file
constexpr std::uint64_t checked_bytes = 64ULL << 20;   // a larger file is checked page by page as it is read

struct Migration {
  const char* sql;
  Result<void> (*then)(Database&) = nullptr;    // in the same transaction
};

/// migrations[n] makes version n + 1 of version n. Never change one that was released: add one.
constexpr Migration migrations[] = {
    {R"sql(
CREATE TABLE instances(
  row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, spec TEXT NOT NULL, image_digest TEXT NOT NULL,
  created_unix_us INTEGER NOT NULL, removed_unix_us INTEGER, last_run INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE UNIQUE INDEX instances_name ON instances(name) WHERE removed_unix_us IS NULL;
CREATE TABLE events(
  seq INTEGER PRIMARY KEY, instance INTEGER NOT NULL REFERENCES instances(row), run INTEGER NOT NULL, type TEXT NOT NULL,
  at_unix_us INTEGER NOT NULL, mono_us INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE INDEX events_instance ON events(instance, seq);
CREATE TABLE streams(
  row INTEGER PRIMARY KEY, instance INTEGER NOT NULL REFERENCES instances(row), run INTEGER NOT NULL, epoch INTEGER NOT NULL, boot TEXT NOT NULL,
  last INTEGER NOT NULL, gaps TEXT NOT NULL, UNIQUE(instance, boot, run, epoch)) STRICT;
CREATE TABLE partials(
  stream INTEGER NOT NULL REFERENCES streams(row), seq INTEGER NOT NULL, event INTEGER NOT NULL, PRIMARY KEY(stream, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE origins(
  instance INTEGER NOT NULL REFERENCES instances(row), boot TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(instance, boot, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE tokens(
  instance INTEGER NOT NULL REFERENCES instances(row), run INTEGER NOT NULL, boot TEXT NOT NULL, sha256 TEXT NOT NULL,
  PRIMARY KEY(instance, run, boot)) STRICT, WITHOUT ROWID;
)sql"},
    {R"sql(
CREATE TABLE api_tokens(
  id TEXT PRIMARY KEY, sha256 TEXT NOT NULL, owner TEXT NOT NULL, scopes TEXT NOT NULL, label TEXT NOT NULL, created_unix_us INTEGER NOT NULL,
  expires_unix_us INTEGER, revoked_unix_us INTEGER) STRICT, WITHOUT ROWID;
)sql"},
    // The log comes to stand by itself: it names its instances, and what was in the tables until now is its first checkpoint.
    {R"sql(
CREATE TABLE log_instances(row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE checkpoints(instance INTEGER PRIMARY KEY REFERENCES log_instances(row), seq INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
ALTER TABLE events ADD COLUMN stands_for TEXT;
INSERT INTO log_instances(row, id) SELECT row, id FROM instances;
INSERT INTO checkpoints(instance, seq, body) SELECT i.row, (SELECT coalesce(max(seq), 0) FROM events), json_object(
  'name', i.name, 'spec', i.spec, 'image_digest', i.image_digest, 'created_unix_us', i.created_unix_us, 'removed_unix_us', i.removed_unix_us, 'last_run', i.last_run,
  'streams', (SELECT json_group_array(json_object('boot', s.boot, 'run', s.run, 'epoch', s.epoch, 'last', s.last, 'gaps', s.gaps))
              FROM streams s WHERE s.instance = i.row),
  'partials', (SELECT json_group_array(json_object('boot', s.boot, 'run', s.run, 'epoch', s.epoch, 'seq', p.seq, 'event', p.event))
               FROM partials p JOIN streams s ON s.row = p.stream WHERE s.instance = i.row),
  'origins', (SELECT json_group_array(json_object('boot', o.boot, 'seq', o.seq)) FROM origins o WHERE o.instance = i.row),
  'tokens', (SELECT json_group_array(json_object('run', t.run, 'boot', t.boot, 'sha256', t.sha256)) FROM tokens t WHERE t.instance = i.row)) FROM instances i;
DROP TABLE partials;
DROP TABLE streams;
DROP TABLE origins;
DROP TABLE tokens;
DROP TABLE instances;
CREATE TABLE instances(
  row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, spec TEXT NOT NULL, image_digest TEXT NOT NULL,
  created_unix_us INTEGER NOT NULL, removed_unix_us INTEGER, last_run INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE UNIQUE INDEX instances_name ON instances(name) WHERE removed_unix_us IS NULL;
CREATE TABLE streams(
  instance INTEGER NOT NULL, boot TEXT NOT NULL, run INTEGER NOT NULL, epoch INTEGER NOT NULL, last INTEGER NOT NULL, gaps TEXT NOT NULL,
  PRIMARY KEY(instance, boot, run, epoch)) STRICT, WITHOUT ROWID;
CREATE TABLE partials(
  instance INTEGER NOT NULL, boot TEXT NOT NULL, run INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, event INTEGER NOT NULL,
  PRIMARY KEY(instance, boot, run, epoch, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE origins(
  instance INTEGER NOT NULL, boot TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(instance, boot, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE tokens(
  instance INTEGER NOT NULL, run INTEGER NOT NULL, boot TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY(instance, run, boot)) STRICT, WITHOUT ROWID;
)sql",
     restore_checkpoints},
    // Rows of the log that tell whether they are as they were written; and where a replay may begin.
    {R"sql(
ALTER TABLE events ADD COLUMN sum INTEGER;
CREATE TABLE snapshots(instance INTEGER PRIMARY KEY REFERENCES log_instances(row), seq INTEGER NOT NULL, sum INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
)sql"},
    // Which events an instance has: written many at a time, where the index was written with each.
    {R"sql(
CREATE TABLE event_places(instance INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(instance, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE event_places_mark(through INTEGER NOT NULL) STRICT;
INSERT INTO event_places(instance, seq) SELECT instance, seq FROM events WHERE instance != 0 ORDER BY instance, seq;
INSERT INTO event_places_mark(through) SELECT coalesce(max(seq), 0) FROM events;
DROP INDEX events_instance;
)sql"},
};
constexpr std::uint64_t newest_version = std::size(migrations);

Result<void> run_migration(Database& database, std::uint64_t version) {
  const auto& migration = migrations[version];
  TRY_VOID(database.run("BEGIN IMMEDIATE"));
  TRY_VOID(database.run(migration.sql));
  if (migration.then != nullptr) TRY_VOID(migration.then(database));
  return database.run(("PRAGMA user_version=" + std::to_string(version + 1) + ";COMMIT").c_str());
}

Result<void> migrate(Database& database, std::uint64_t from) {
  for (auto version = from; version < newest_version; ++version) {
    const auto done = run_migration(database, version);
    if (done) continue;
    database.roll_back();
    return done.error().with_context("migrate to version " + std::to_string(version + 1));
  }
  return {};
}

Result<void> configure(Database& database) {
  TRY(mode, database.text("PRAGMA journal_mode=WAL"));
  if (mode != "wal") return Error(Errc::io, "the file system cannot hold a write-ahead log (journal mode " + mode + ")");
  TRY_VOID(database.run("PRAGMA synchronous=FULL"));
  return database.run("PRAGMA cache_size=-8192");
}

Result<void> check_content(Database& database, const std::string& path) {
  TRY(application, database.integer("PRAGMA application_id"));
  if (application != application_id) return Error(Errc::io, path + " is a database, but not one of ours; it is left as it is");
  TRY(version, database.integer("PRAGMA user_version"));
  if (version > newest_version)
    return Error(Errc::unsupported, path + " was written by a newer version (its schema is " + std::to_string(version) + ", this one knows " +
                                        std::to_string(newest_version) + "); it is left as it is");
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return Error::from_errno(path, errno);
  if (static_cast<std::uint64_t>(status.st_size) > checked_bytes) return {};
  TRY(verdict, database.text("PRAGMA quick_check(1)"));
  if (verdict != "ok") return Error(Errc::io, path + " is damaged: " + verdict + "; it is left as it is");
  return {};
}

Result<void> make_new(const std::string& path) {
  const auto draft = path + ".new";
  std::error_code ignored;
  for (const auto* suffix : {"", "-wal", "-shm", "-journal"}) std::filesystem::remove(draft + suffix, ignored);
  const UniqueFd file(::open(draft.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (!file) return Error::from_errno("create " + draft, errno);
  {
    TRY(database, Database::open(draft, OpenMode::existing));
    TRY_VOID(database.run(("PRAGMA application_id=" + std::to_string(application_id)).c_str()));
    TRY_VOID(migrate(database, 0));
  }
  if (::fsync(file.get()) != 0) return Error::from_errno("sync " + draft, errno);
  if (std::rename(draft.c_str(), path.c_str()) != 0) return Error::from_errno("rename " + draft, errno);
  return {};
}

}  // namespace

Result<Database> open_schema(const std::string& path, Age age) {
  std::error_code failed;
  const auto size = std::filesystem::file_size(path, failed);
  if (failed == std::errc::no_such_file_or_directory) {
    if (age == Age::current_only) return Error(Errc::not_found, "there is no " + path);
    TRY_VOID(make_new(path));
  } else if (failed) {
    return Error::from_errno(path, failed.value());
  } else if (size == 0) {
    return Error(Errc::io, path + " is empty: it was cut off; put a copy back, or move it away to begin anew");
  }
  TRY(database, Database::open(path, OpenMode::existing));
  TRY_VOID(check_content(database, path));
  TRY(version, database.integer("PRAGMA user_version"));
  if (age == Age::current_only && version != newest_version)
    return Error(Errc::unsupported, path + " is of an older version (its schema is " + std::to_string(version) + ", this one's " + std::to_string(newest_version) +
                                        "); a start of vigild brings it forward");
  TRY_VOID(configure(database));
  TRY_VOID(migrate(database, version));
  return std::move(database);
}

}  // namespace vigil::store
