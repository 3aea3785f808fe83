#include "shared/json/json.hpp"

#include "shared/json/builder.hpp"

#include <algorithm>

namespace vigil {

using nlohmann::json;

Result<json> parse_json(std::string_view text, const JsonLimits& limits, JsonComments comments) {
  if (text.size() > limits.max_bytes) return Error(Errc::limit, "longer than " + std::to_string(limits.max_bytes) + " bytes");
  json_detail::Builder builder(limits);
  const bool whole = json::sax_parse(text, &builder, json::input_format_t::json, true, comments == JsonComments::allow);
  if (!whole) return builder.error().value_or(Error(Errc::invalid, "not JSON"));
  return builder.take();
}

std::string dump_json(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }
std::string dump_json_pretty(const json& value) { return value.dump(2, ' ', false, json::error_handler_t::replace); }

namespace {

Error about(const char* key, std::string_view problem, Errc code = Errc::invalid) {
  return Error(code, std::string(key) + ": " + std::string(problem));
}

/// nullptr when it is absent, or when `object` is not an object at all.
const json* find_member(const json& object, const char* key) {
  const auto member = object.find(key);
  return member == object.end() ? nullptr : &*member;
}

Result<std::string> to_string(const json& value, const char* key, std::size_t max_bytes) {
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr) return about(key, "not a string");
  if (text->size() > max_bytes) return about(key, "longer than " + std::to_string(max_bytes) + " bytes", Errc::limit);
  return *text;
}

Result<std::int64_t> to_integer(const json& value, const char* key, std::int64_t lo, std::int64_t hi) {
  if (!value.is_number_integer()) return about(key, "not a whole number");
  const bool too_large = value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(max_json_integer);
  const auto number = too_large ? 0 : value.get<std::int64_t>();
  if (too_large || number < lo || number > hi) return about(key, "not in " + std::to_string(lo) + " to " + std::to_string(hi));
  return number;
}

Result<bool> to_bool(const json& value, const char* key) {
  if (!value.is_boolean()) return about(key, "neither true nor false");
  return value.get<bool>();
}

/// What `read` makes of the member, or the error that it is missing.
template <class Read>
auto require(const json& object, const char* key, Read read) -> decltype(read(object)) {
  const json* const member = find_member(object, key);
  if (member == nullptr) return about(key, "missing");
  return read(*member);
}

template <class T, class Read>
Result<std::optional<T>> accept(const json& object, const char* key, Read read) {
  const json* const member = find_member(object, key);
  if (member == nullptr) return std::optional<T>();
  auto value = read(*member);
  if (!value) return value.error();
  return std::optional<T>(std::move(*value));
}

}  // namespace

Result<std::string> read_string(const json& object, const char* key, std::size_t max_bytes) {
  return require(object, key, [&](const json& value) { return to_string(value, key, max_bytes); });
}

Result<std::int64_t> read_integer(const json& object, const char* key, std::int64_t lo, std::int64_t hi) {
  return require(object, key, [&](const json& value) { return to_integer(value, key, lo, hi); });
}

Result<bool> read_bool(const json& object, const char* key) {
  return require(object, key, [&](const json& value) { return to_bool(value, key); });
}

Result<double> read_number(const json& object, const char* key) {
  return require(object, key, [&](const json& value) -> Result<double> {
    if (!value.is_number()) return about(key, "not a number");
    return value.get<double>();
  });
}

Result<std::vector<std::string>> read_strings(const json& object, const char* key, std::size_t max_items, std::size_t max_bytes) {
  return require(object, key, [&](const json& value) -> Result<std::vector<std::string>> {
    if (!value.is_array()) return about(key, "not a list");
    if (value.size() > max_items) return about(key, "more than " + std::to_string(max_items) + " items", Errc::limit);
    std::vector<std::string> items;
    for (const auto& item : value) {
      TRY(text, to_string(item, (std::string(key) + "[" + std::to_string(items.size()) + "]").c_str(), max_bytes));
      items.push_back(std::move(text));
    }
    return items;
  });
}

Result<std::string> read_bytes(const json& object, const char* key, std::size_t max_bytes) {
  TRY(text, read_string(object, key, (max_bytes + 2) / 3 * 4));
  auto bytes = from_base64(text);
  if (!bytes) return bytes.error().with_context(key);
  if (bytes->size() > max_bytes) return about(key, "longer than " + std::to_string(max_bytes) + " bytes", Errc::limit);
  return bytes;
}

Result<std::optional<std::string>> try_read_string(const json& object, const char* key, std::size_t max_bytes) {
  return accept<std::string>(object, key, [&](const json& value) { return to_string(value, key, max_bytes); });
}

Result<std::optional<std::int64_t>> try_read_integer(const json& object, const char* key, std::int64_t lo, std::int64_t hi) {
  return accept<std::int64_t>(object, key, [&](const json& value) { return to_integer(value, key, lo, hi); });
}

Result<std::optional<bool>> try_read_bool(const json& object, const char* key) {
  return accept<bool>(object, key, [&](const json& value) { return to_bool(value, key); });
}

Result<void> refuse_unknown_keys(const json& object, std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return Error(Errc::invalid, "not an object");
  for (const auto& [key, value] : object.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      return Error(Errc::invalid, "unknown key '" + to_valid_utf8(key, 64) + "'");
  return {};
}

}  // namespace vigil
