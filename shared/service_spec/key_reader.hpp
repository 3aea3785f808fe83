// Reads one JSON object of a service file key by key and collects every problem with its key path ("ready[1].http.port"), so that the author
// sees all of them at once. Private to this folder.
//
// Shape:  a reader a JSON object; each read names the key, and finish() complains about every key that nobody read. A read that fails gives
//         nullopt or the fallback and notes the problem.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::service_spec {

struct Problem {
  std::string key;  // its path; empty: the whole file
  std::string reason;
};

class KeyReader {
public:
  KeyReader(const nlohmann::json& object, std::string path, std::vector<Problem>& problems);

  bool has(const char* key);
  std::optional<std::string> text(const char* key, std::size_t max_bytes = 4096);
  std::optional<std::int64_t> integer(const char* key, std::int64_t lo, std::int64_t hi);
  std::optional<bool> boolean(const char* key);
  std::optional<std::vector<std::string>> texts(const char* key);
  /// A number of seconds, which may have a fraction.
  std::optional<std::chrono::milliseconds> seconds(const char* key, double lo, double hi);
  /// The member itself, for those who look deeper; nullptr when it is absent.
  const nlohmann::json* member(const char* key);

  std::string path_of(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }
  void complain(const std::string& key, std::string reason);
  void require(const char* key);  // complains when it is absent
  void finish();  // complains about unknown keys

private:
  const nlohmann::json& object_;
  std::string path_;
  std::vector<Problem>& problems_;
  std::set<std::string> asked_;
};

}  // namespace vigil::service_spec
