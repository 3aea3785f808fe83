#include "shared/service_spec/key_reader.hpp"

#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::service_spec {

using nlohmann::json;

namespace {

/// The readers of shared/json put the key in front of their reason; here the path says it already.
std::string reason_without_key(const Error& error, const char* key) {
  const std::string prefix = std::string(key) + ": ";
  return error.message().starts_with(prefix) ? error.message().substr(prefix.size()) : error.message();
}

}  // namespace

KeyReader::KeyReader(const json& object, std::string path, std::vector<Problem>& problems)
    : object_(object), path_(std::move(path)), problems_(problems) {
  if (!object_.is_object()) problems_.push_back({path_, "not an object"});
}

bool KeyReader::has(const char* key) { return member(key) != nullptr; }

const json* KeyReader::member(const char* key) {
  asked_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() ? nullptr : &*found;
}

void KeyReader::complain(const std::string& key, std::string reason) { problems_.push_back({path_of(key), std::move(reason)}); }

void KeyReader::require(const char* key) {
  if (object_.is_object() && !has(key)) complain(key, "missing");
}

std::optional<std::string> KeyReader::text(const char* key, std::size_t max_bytes) {
  if (!has(key)) return std::nullopt;
  auto value = read_string(object_, key, max_bytes);
  if (value && value->find('\0') != value->npos) value = Error(Errc::invalid, "holds a NUL byte");
  if (value) return *value;
  complain(key, reason_without_key(value.error(), key));
  return std::nullopt;
}

std::optional<std::int64_t> KeyReader::integer(const char* key, std::int64_t lo, std::int64_t hi) {
  if (!has(key)) return std::nullopt;
  const auto value = read_integer(object_, key, lo, hi);
  if (value) return *value;
  complain(key, reason_without_key(value.error(), key));
  return std::nullopt;
}

std::optional<bool> KeyReader::boolean(const char* key) {
  if (!has(key)) return std::nullopt;
  const auto value = read_bool(object_, key);
  if (value) return *value;
  complain(key, reason_without_key(value.error(), key));
  return std::nullopt;
}

std::optional<std::vector<std::string>> KeyReader::texts(const char* key) {
  const json* const list = member(key);
  if (list == nullptr) return std::nullopt;
  if (!list->is_array() || list->size() > 256) {
    complain(key, list->is_array() ? "more than 256 items" : "not a list");
    return std::nullopt;
  }
  std::vector<std::string> values;
  for (const auto& item : *list) {
    const auto* const value = item.get_ptr<const std::string*>();
    const bool fits = value != nullptr && value->size() <= 4096 && value->find('\0') == value->npos;
    if (!fits)
      complain(std::string(key) + "[" + std::to_string(values.size()) + "]",
               value == nullptr ? "not a string" : "too long, or holds a NUL byte");
    values.push_back(fits ? *value : std::string());
  }
  return values;
}

std::optional<std::chrono::milliseconds> KeyReader::seconds(const char* key, double lo, double hi) {
  if (!has(key)) return std::nullopt;
  const auto value = read_number(object_, key);
  if (value && *value >= lo && *value <= hi) return std::chrono::milliseconds(static_cast<std::int64_t>(*value * 1000.0 + 0.5));
  complain(key, value ? "not in " + json(lo).dump() + " to " + json(hi).dump() + " seconds" : reason_without_key(value.error(), key));
  return std::nullopt;
}

void KeyReader::finish() {
  if (!object_.is_object()) return;
  for (const auto& [key, value] : object_.items())
    if (!asked_.contains(key)) complain(to_valid_utf8(key, 64), "unknown key");
}

}  // namespace vigil::service_spec
