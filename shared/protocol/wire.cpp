#include "shared/protocol/wire.hpp"

namespace vigil::protocol::wire {

json text(std::string_view value, std::size_t max_bytes) { return to_valid_utf8(value, max_bytes); }

json number(std::uint64_t value) { return std::min(value, static_cast<std::uint64_t>(max_json_integer)); }

json nested(const std::string& json_text) {
  auto value = parse_json(json_text);
  return value ? std::move(*value) : text(json_text);
}

json texts(const std::vector<std::string>& values, std::size_t max_items, std::size_t max_bytes) {
  json list = json::array();
  for (std::size_t i = 0; i < std::min(values.size(), max_items); ++i) list.push_back(text(values[i], max_bytes));
  return list;
}

Result<std::string> read_text_or(const json& object, const char* key, std::string fallback, std::size_t max_bytes) {
  return object.contains(key) ? read_string(object, key, max_bytes) : Result<std::string>(std::move(fallback));
}

Result<bool> read_bool_or(const json& object, const char* key, bool fallback) {
  return object.contains(key) ? read_bool(object, key) : Result<bool>(fallback);
}

Result<std::vector<std::string>> read_texts_or_none(const json& object, const char* key, std::size_t max_items, std::size_t max_bytes) {
  return object.contains(key) ? read_strings(object, key, max_items, max_bytes)
                              : Result<std::vector<std::string>>(std::vector<std::string>());
}

}  // namespace vigil::protocol::wire
