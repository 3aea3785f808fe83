// JSON from outside, read with limits and without surprises (nlohmann's get<>() narrows silently; its exceptions stay in here).
//
// Shape:  parse_json bounds bytes, depth and number of values; read_* take a member of an object, check kind and range, and name the
//         key in the error; try_read_* give nullopt when the key is absent (a wrong kind is still an error); dump_json never throws on invalid UTF-8.
// Errors: Errc::limit when a limit is exceeded, Errc::invalid for the rest.
#pragma once

#include "shared/base/result.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil {

struct JsonLimits {
  std::size_t max_bytes = 1 << 20;
  std::size_t max_depth = 16;
  std::size_t max_values = 20'000;
};

enum class JsonComments { refuse, allow };

Result<nlohmann::json> parse_json(std::string_view text, const JsonLimits& limits = {}, JsonComments comments = JsonComments::refuse);
std::string dump_json(const nlohmann::json& value);           // compact; invalid UTF-8 becomes U+FFFD
std::string dump_json_pretty(const nlohmann::json& value);

inline constexpr std::int64_t max_json_integer = (std::int64_t{1} << 53) - 1;

Result<std::string> read_string(const nlohmann::json& object, const char* key, std::size_t max_bytes = 4096);
Result<std::int64_t> read_integer(const nlohmann::json& object, const char* key, std::int64_t lo = 0, std::int64_t hi = max_json_integer);
Result<bool> read_bool(const nlohmann::json& object, const char* key);
Result<double> read_number(const nlohmann::json& object, const char* key);
Result<std::vector<std::string>> read_strings(const nlohmann::json& object, const char* key, std::size_t max_items = 256, std::size_t max_bytes = 4096);
/// Decodes a base64 field (its key ends in _b64).
Result<std::string> read_bytes(const nlohmann::json& object, const char* key, std::size_t max_bytes = 1 << 20);

Result<std::optional<std::string>> try_read_string(const nlohmann::json& object, const char* key, std::size_t max_bytes = 4096);
Result<std::optional<std::int64_t>> try_read_integer(const nlohmann::json& object, const char* key, std::int64_t lo = 0, std::int64_t hi = max_json_integer);
Result<std::optional<bool>> try_read_bool(const nlohmann::json& object, const char* key);

/// For configuration, where an unknown key is a typing error: Errc::invalid naming the first key that is not in `known`.
Result<void> refuse_unknown_keys(const nlohmann::json& object, std::initializer_list<std::string_view> known);

}  // namespace vigil
