// The projected tables as text, and SQL of a test's own beside the store.
#pragma once

#include <sqlite3.h>
#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

namespace vigil::test {

class Sql {
public:
  explicit Sql(const std::string& path) { REQUIRE(sqlite3_open(path.c_str(), &handle_) == SQLITE_OK); }
  ~Sql() { sqlite3_close(handle_); }
  Sql(const Sql&) = delete;
  Sql& operator=(const Sql&) = delete;

  void run(const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) FAIL(sql << ": " << sqlite3_errmsg(handle_));
  }

  /// Rows, their values joined by "|".
  std::vector<std::string> rows(const std::string& sql) {
    std::vector<std::string> rows;
    const auto take = [](void* to, int count, char** values, char**) {
      std::string row;
      for (int i = 0; i < count; ++i) row += (i == 0 ? "" : "|") + std::string(values[i] == nullptr ? "NULL" : values[i]);
      static_cast<std::vector<std::string>*>(to)->push_back(row);
      return 0;
    };
    if (sqlite3_exec(handle_, sql.c_str(), take, &rows, nullptr) != SQLITE_OK) FAIL(sql << ": " << sqlite3_errmsg(handle_));
    return rows;
  }

private:
  sqlite3* handle_ = nullptr;
};

inline constexpr const char* projected[] = {"instances", "streams", "partials", "origins", "tokens"};

/// All of them, byte for byte.
inline std::string projected_tables(const std::string& path) {
  Sql sql(path);
  std::string text;
  for (const auto* const table : projected) {
    text += std::string("-- ") + table + "\n";
    for (const auto& row : sql.rows(std::string("SELECT * FROM ") + table + " ORDER BY 1, 2, 3")) text += row + "\n";
  }
  return text;
}

inline void empty_projected_tables(const std::string& path) {
  Sql sql(path);
  for (const auto* const table : projected) sql.run(std::string("DELETE FROM ") + table);
}

}  // namespace vigil::test
