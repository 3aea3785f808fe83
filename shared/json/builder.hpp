// Builds a json value from parse events and stops at the first limit that is exceeded; private to this folder.
#pragma once

#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::json_detail {

using nlohmann::json;

/// The SAX interface of nlohmann: every member returns false to stop; why is in error().
class Builder {
public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(json::number_integer_t value) { return add(value); }
  bool number_unsigned(json::number_unsigned_t value) { return add(value); }
  bool number_float(json::number_float_t value, const json::string_t&) { return add(value); }
  bool string(json::string_t& value) { return add(std::move(value)); }
  bool binary(json::binary_t&) { return false; }   // not in JSON text
  bool start_object(std::size_t) { return open(json::object()); }
  bool start_array(std::size_t) { return open(json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(json::string_t& name);
  bool parse_error(std::size_t position, const std::string& last_token, const nlohmann::detail::exception& problem);

  json take() { return std::move(root_); }
  const std::optional<Error>& error() const { return error_; }

private:
  bool add(json value) { return place(std::move(value)) != nullptr; }
  bool open(json container);
  bool close() {
    open_.pop_back();
    return true;
  }
  json* place(json value);
  bool refuse(Errc code, std::string why) {
    error_ = Error(code, std::move(why));
    return false;
  }

  JsonLimits limits_;
  json root_;
  std::vector<json*> open_;   // the containers around the next value, outermost first
  std::string key_;           // of the next value, when its container is an object
  std::size_t values_ = 0;
  std::optional<Error> error_;
};

}  // namespace vigil::json_detail
