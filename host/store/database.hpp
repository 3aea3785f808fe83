// SQLite with one owner and Results instead of codes; for this folder, and for who keeps a file of its own beside the store (host/vault, host/sessions).
//
// Shape:  a statement that is done with is kept for the next who prepares the same text: a commit a few milliseconds would otherwise spend most of itself on parsing.
// Errors: a full disk is Errc::limit "host.disk_full: ..." (SQLITE_FULL; a quota only as long as SQLite still knows its errno); a file that is damaged or no
//         database Errc::io; a unique or check constraint Errc::conflict; the rest Errc::io with SQLite's text.
#pragma once

#include "shared/base/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace vigil::store {

/// Prepared statements of one database that nobody uses at the moment.
struct KeptStatements;

class Statement {
public:
  Statement() = default;

  Statement& bind(int index, std::uint64_t value);
  Statement& bind(int index, std::string_view text);   // copied
  Statement& bind_null(int index);
  /// True: there is a row. Resets itself on the last row and on an error.
  Result<bool> step();
  /// For statements without rows.
  Result<void> run();
  void reset();

  std::uint64_t integer(int column) const;
  std::string text(int column) const;
  bool is_null(int column) const;

private:
  friend class Database;
  struct GiveBack {
    std::shared_ptr<KeptStatements> to;
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, GiveBack> handle_;
};

enum class OpenMode { existing, create };

class Database {
public:
  Database() = default;
  static Result<Database> open(const std::string& path, OpenMode mode);

  Result<void> run(const char* sql);
  Result<Statement> prepare(const char* sql) const;
  Result<std::uint64_t> integer(const char* sql);
  Result<std::string> text(const char* sql);
  void roll_back();

  /// From now on no commit makes a checkpoint by itself; log_pages() says how long the write-ahead log was after the last one.
  void count_log_pages();
  std::uint64_t log_pages() const { return log_pages_ ? *log_pages_ : 0; }

private:
  struct Close { void operator()(sqlite3* handle) const; };
  std::unique_ptr<sqlite3, Close> handle_;
  std::shared_ptr<KeptStatements> kept_;        // goes before the handle
  std::shared_ptr<std::uint64_t> log_pages_;    // SQLite holds its address
};

}  // namespace vigil::store
