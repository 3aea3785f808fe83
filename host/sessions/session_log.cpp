#include "host/sessions/session_log.hpp"

#include "host/sessions/session_json.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

namespace vigil::sessions {

using store::Database;

namespace {

constexpr std::uint64_t log_application = 0x56675373;   // "VgSs"
constexpr std::uint64_t log_version = 1;

constexpr char log_schema[] = R"sql(
PRAGMA application_id=1449612147;
BEGIN IMMEDIATE;
CREATE TABLE session_events(seq INTEGER PRIMARY KEY, session TEXT NOT NULL, at_unix_us INTEGER NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL) STRICT;
CREATE INDEX session_events_session ON session_events(session);
CREATE TABLE cli_vms(owner TEXT NOT NULL, user TEXT NOT NULL, instance TEXT NOT NULL, guest_user TEXT NOT NULL, PRIMARY KEY(owner, user)) STRICT, WITHOUT ROWID;
CREATE TABLE deliveries(
  owner TEXT NOT NULL, user TEXT NOT NULL, provider TEXT NOT NULL, instance TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY(owner, user, provider, instance)) STRICT, WITHOUT ROWID;
PRAGMA user_version=1;
COMMIT;
)sql";

Result<void> check_log(Database& database, const std::string& path) {
  TRY(application, database.integer("PRAGMA application_id"));
  if (application != log_application) return Error(Errc::io, path + " is no log of sessions of ours; it is left as it is");
  TRY(version, database.integer("PRAGMA user_version"));
  if (version != log_version) return Error(Errc::unsupported, path + " was written by another version; it is left as it is");
  TRY(verdict, database.text("PRAGMA quick_check(1)"));
  if (verdict != "ok") return Error(Errc::io, path + " is damaged: " + verdict + "; it is left as it is");
  return {};
}

}  // namespace

Result<SessionLog> SessionLog::open(const std::string& path) {
  std::error_code ignored;
  const bool is_new =
      !std::filesystem::exists(path, ignored) || std::filesystem::file_size(path, ignored) == 0;  // a daemon was killed while it made it
  TRY(database, Database::open(path, is_new ? store::OpenMode::create : store::OpenMode::existing));
  if (is_new) {
    if (::chmod(path.c_str(), 0600) != 0) return Error::from_errno("chmod " + path, errno);
    TRY_VOID(database.run(log_schema));
  }
  TRY_VOID(check_log(database, path));
  TRY_VOID(database.run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"));
  TRY(last, database.integer("SELECT max(seq) FROM session_events"));
  SessionLog log(std::move(database));
  log.next_ = last + 1;
  return log;
}

Result<void> SessionLog::append(Event& event) {
  TRY(row, database_.prepare("INSERT INTO session_events(seq, session, at_unix_us, type, body) VALUES(?, ?, ?, ?, ?)"));
  row.bind(1, next_).bind(2, event.session).bind(3, event.at_unix_us).bind(4, event_type(event.body)).bind(5, encode_body(event.body));
  TRY_VOID(row.run());
  event.seq = next_++;
  return {};
}

Result<SessionLog::Kept> SessionLog::all() const {
  TRY(rows, database_.prepare("SELECT seq, session, at_unix_us, type, body FROM session_events ORDER BY seq"));
  Kept kept;
  for (;;) {
    TRY(has_row, rows.step());
    if (!has_row) return kept;
    auto body = decode_body(rows.text(3), rows.text(4));
    if (!body)
      ++kept.skipped;
    else
      kept.events.push_back({rows.integer(0), rows.text(1), rows.integer(2), std::move(*body)});
  }
}

Result<void> SessionLog::forget(const std::string& session) {
  TRY(rows, database_.prepare("DELETE FROM session_events WHERE session = ?"));
  return rows.bind(1, session).run();
}

Result<void> SessionLog::set_cli_vm(const UserKey& key, const CliVm& vm) {
  TRY(row, database_.prepare("INSERT OR REPLACE INTO cli_vms(owner, user, instance, guest_user) VALUES(?, ?, ?, ?)"));
  return row.bind(1, key.owner).bind(2, key.user).bind(3, vm.vm.value()).bind(4, vm.user).run();
}

Result<std::map<UserKey, CliVm>> SessionLog::cli_vms() const {
  TRY(rows, database_.prepare("SELECT owner, user, instance, guest_user FROM cli_vms"));
  std::map<UserKey, CliVm> all;
  for (;;) {
    TRY(has_row, rows.step());
    if (!has_row) return all;
    all[{rows.text(0), rows.text(1)}] = {InstanceId(rows.text(2)), rows.text(3)};
  }
}

Result<void> SessionLog::note_delivery(const vault::EntryKey& of, const InstanceId& vm, std::uint64_t version) {
  TRY(row, database_.prepare("INSERT OR REPLACE INTO deliveries(owner, user, provider, instance, version) VALUES(?, ?, ?, ?, ?)"));
  return row.bind(1, of.owner).bind(2, of.user).bind(3, of.provider).bind(4, vm.value()).bind(5, version).run();
}

Result<std::uint64_t> SessionLog::delivered_version(const vault::EntryKey& of, const InstanceId& vm) const {
  TRY(row, database_.prepare("SELECT version FROM deliveries WHERE owner = ? AND user = ? AND provider = ? AND instance = ?"));
  TRY(has_row, row.bind(1, of.owner).bind(2, of.user).bind(3, of.provider).bind(4, vm.value()).step());
  return has_row ? row.integer(0) : 0;
}

}  // namespace vigil::sessions
