#include "host/store/database.hpp"

#include <sqlite3.h>

#include <cerrno>
#include <map>

namespace vigil::store {

struct KeptStatements {
  KeptStatements() = default;
  KeptStatements(const KeptStatements&) = delete;
  KeptStatements& operator=(const KeptStatements&) = delete;
  ~KeptStatements() {
    for (const auto& [sql, statement] : idle) sqlite3_finalize(statement);
  }
  std::map<std::string, sqlite3_stmt*, std::less<>> idle;   // by its text, one each
};

namespace {

constexpr std::size_t max_kept_statements = 64;

constexpr int busy_ms = 1000;   // somebody looks into the file with another tool

bool is_no_space(int code, int system_errno) {
  if ((code & 0xff) == SQLITE_FULL) return true;
  if ((code & 0xff) != SQLITE_IOERR) return false;
  return system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG;
}

Error error_of(sqlite3* handle) {
  const int code = sqlite3_extended_errcode(handle);
  const char* file = sqlite3_db_filename(handle, "main");
  const std::string path = file == nullptr ? "the store" : file;
  if (is_no_space(code, sqlite3_system_errno(handle))) return Error(Errc::limit, "host.disk_full: no space left for " + path);
  const auto text = path + ": " + sqlite3_errmsg(handle);
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT: return Error(Errc::conflict, text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Error(Errc::unavailable, text);
    case SQLITE_CORRUPT: return Error(Errc::io, text + " (the file is damaged; it is left as it is)");
    case SQLITE_NOTADB: return Error(Errc::io, path + " is not a database, or its start is damaged; it is left as it is");
    default: return Error(Errc::io, text);
  }
}

}  // namespace

void Statement::GiveBack::operator()(sqlite3_stmt* statement) const {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  const char* const sql = sqlite3_sql(statement);
  const bool may_be_kept = to && sql != nullptr && to->idle.size() < max_kept_statements &&
                           !std::string_view(sql).starts_with("PRAGMA");   // some of those act when prepared
  const bool is_kept = may_be_kept && to->idle.emplace(sql, statement).second;
  if (!is_kept) sqlite3_finalize(statement);
}

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

Statement& Statement::bind(int index, std::uint64_t value) {
  sqlite3_bind_int64(handle_.get(), index, static_cast<sqlite3_int64>(value));
  return *this;
}

Statement& Statement::bind(int index, std::string_view text) {
  // SQLITE_TRANSIENT is an old-style cast of -1 to a function pointer; its value is what counts.
  const auto transient = reinterpret_cast<sqlite3_destructor_type>(static_cast<std::intptr_t>(-1));
  sqlite3_bind_text64(handle_.get(), index, text.empty() ? "" : text.data(), text.size(), transient, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_null(int index) {
  sqlite3_bind_null(handle_.get(), index);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  auto* const handle = sqlite3_db_handle(handle_.get());
  if (code == SQLITE_DONE) {
    sqlite3_reset(handle_.get());
    return false;
  }
  const Error error = error_of(handle);
  sqlite3_reset(handle_.get());
  return error;
}

Result<void> Statement::run() {
  TRY(has_row, step());
  if (has_row) reset();
  return {};
}

void Statement::reset() { sqlite3_reset(handle_.get()); }

std::uint64_t Statement::integer(int column) const { return static_cast<std::uint64_t>(sqlite3_column_int64(handle_.get(), column)); }

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  if (bytes == nullptr) return {};
  return std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column)));
}

bool Statement::is_null(int column) const { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }

Result<Database> Database::open(const std::string& path, OpenMode mode) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | (mode == OpenMode::create ? SQLITE_OPEN_CREATE : 0);
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  Database database;
  database.handle_.reset(handle);
  database.kept_ = std::make_shared<KeptStatements>();
  if (handle == nullptr) return Error(Errc::io, path + ": out of memory");
  if (code != SQLITE_OK) return Error(Errc::io, path + ": " + sqlite3_errmsg(handle));
  sqlite3_busy_timeout(handle, busy_ms);
  return database;
}

Result<void> Database::run(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return error_of(handle_.get());
}

Result<Statement> Database::prepare(const char* sql) const {
  sqlite3_stmt* raw = nullptr;
  if (const auto kept = kept_->idle.find(std::string_view(sql)); kept != kept_->idle.end()) {
    raw = kept->second;
    kept_->idle.erase(kept);
  } else if (sqlite3_prepare_v3(handle_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK) {
    return error_of(handle_.get());
  }
  Statement statement;
  statement.handle_ = {raw, Statement::GiveBack{kept_}};
  return statement;
}

Result<std::uint64_t> Database::integer(const char* sql) {
  TRY(statement, prepare(sql));
  TRY(has_row, statement.step());
  return has_row ? statement.integer(0) : 0;
}

Result<std::string> Database::text(const char* sql) {
  TRY(statement, prepare(sql));
  TRY(has_row, statement.step());
  return has_row ? statement.text(0) : std::string();
}

void Database::count_log_pages() {
  log_pages_ = std::make_shared<std::uint64_t>(0);
  const auto count = [](void* pages, sqlite3*, const char*, int in_log) {
    *static_cast<std::uint64_t*>(pages) = static_cast<std::uint64_t>(in_log);
    return SQLITE_OK;
  };
  sqlite3_wal_hook(handle_.get(), count, log_pages_.get());
}

void Database::roll_back() {
  if (sqlite3_get_autocommit(handle_.get()) == 0) sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace vigil::store
