// Values of a VmState to JSON and back, by one description of each struct (state_fields.hpp); private to this folder.
//
// Shape:  Writer and Reader are called alike: archive("name", member). Events, reports and causes are written by their own codecs.
// Errors: Reader: the first thing that does not fit, named; what comes after it is left as it is.
#pragma once

#include "host/machine/event_codec.hpp"
#include "host/machine/event_json.hpp"
#include "shared/base/enum_names.hpp"
#include "shared/base/strong.hpp"
#include "shared/json/json.hpp"
#include "shared/protocol/codec.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace vigil::machine::archive {

using nlohmann::json;

template <class T, class Variant>
inline constexpr bool is_one_of = false;
template <class T, class... Each>
inline constexpr bool is_one_of<T, std::variant<Each...>> = (std::same_as<T, Each> || ...);

template <class T>
concept HostEvent = is_one_of<T, EventBody> && !std::same_as<T, Reported>;
template <class T>
concept GuestReport = is_one_of<T, protocol::ReportBody>;
template <class T>
concept NamedEnum = std::is_enum_v<T> && !enum_table<T>.empty();
template <class T, class Archive>
concept Described = requires(Archive& archive, T& value) { fields(archive, value); };

/// Text that a codec of ours wrote.
inline json own(const std::string& text) { return json::parse(text, nullptr, false); }

class Writer {
public:
  template <class T>
  void operator()(const char* name, const T& value) {
    object_[name] = write(value);
  }
  json take() { return std::move(object_); }

private:
  template <class T>
    requires std::integral<T> || std::same_as<T, std::string>
  static json write(const T& value) {
    return value;
  }
  template <NamedEnum T>
  static json write(T value) {
    return std::string(vigil::to_text(value));
  }
  template <class Tag, class T>
  static json write(const Strong<Tag, T>& value) {
    return value.value();
  }
  template <HostEvent T>
  static json write(const T& value) {
    return own(host_body_json(EventBody(value)));
  }
  template <GuestReport T>
  static json write(const T& value) {
    return own(protocol::encode_body(protocol::ReportBody(value)));
  }
  static json write(const protocol::Cause& value) { return own(protocol::encode_cause(value)); }
  static json write(const protocol::ExitStatus& value) { return json{{"exit", exit_json(value)}}; }
  static json write(const InstanceSpec& value) { return own(encode_spec(value)); }
  template <class T>
  static json write(const std::optional<T>& value) {
    return value ? write(*value) : json(nullptr);
  }
  template <class T>
  static json write(const std::vector<T>& values) {
    return list(values);
  }
  template <class T, std::size_t N>
  static json write(const std::array<T, N>& values) {
    return list(values);
  }
  template <class Key, class T>
  static json write(const std::map<Key, T>& values) {
    json pairs = json::array();
    for (const auto& [key, value] : values) pairs.push_back(json::array({write(key), write(value)}));
    return pairs;
  }
  template <class T>
    requires Described<const T, Writer>
  static json write(const T& value) {
    Writer inner;
    fields(inner, value);
    return inner.take();
  }
  static json list(const auto& values) {
    json all = json::array();
    for (const auto& each : values) all.push_back(write(each));
    return all;
  }

  json object_ = json::object();
};

class Reader {
public:
  explicit Reader(const json& object) : object_(object) {
    if (!object.is_object()) error_ = Error(Errc::invalid, "not an object");
  }
  template <class T>
  void operator()(const char* name, T& value) {
    if (error_) return;
    const auto found = object_.find(name);
    if (found == object_.end())
      error_ = Error(Errc::invalid, "missing");
    else
      error_ = read(*found, value);
    if (error_) error_ = error_->with_context(name);
  }
  std::optional<Error> take_error() { return std::move(error_); }

private:
  using Failure = std::optional<Error>;
  static Failure unfit(const char* wanted) { return Error(Errc::invalid, std::string("not ") + wanted); }

  static Failure read(const json& from, bool& value) {
    if (!from.is_boolean()) return unfit("true or false");
    value = from.get<bool>();
    return {};
  }
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  static Failure read(const json& from, T& value) {
    if (from.is_number_unsigned() ? !std::in_range<T>(from.get<std::uint64_t>())
                                  : !from.is_number_integer() || !std::in_range<T>(from.get<std::int64_t>()))
      return unfit("a number that fits");
    value = from.get<T>();
    return {};
  }
  static Failure read(const json& from, std::string& value) {
    if (!from.is_string()) return unfit("a text");
    value = from.get<std::string>();
    return {};
  }
  template <NamedEnum T>
  static Failure read(const json& from, T& value) {
    const auto known = from.is_string() ? parse_enum<T>(from.get<std::string>()) : std::nullopt;
    if (!known) return unfit("a word that is known");
    value = *known;
    return {};
  }
  template <class Tag, class T>
  static Failure read(const json& from, Strong<Tag, T>& value) {
    T inner{};
    if (auto failure = read(from, inner)) return failure;
    value = Strong<Tag, T>(std::move(inner));
    return {};
  }
  template <HostEvent T>
  static Failure read(const json& from, T& value) {
    return take<T>(parse_host_body(event_type(EventBody(T{})), dump_json(from)), value);
  }
  template <GuestReport T>
  static Failure read(const json& from, T& value) {
    return take<T>(protocol::decode_body(protocol::report_type(protocol::ReportBody(T{})), dump_json(from)), value);
  }
  static Failure read(const json& from, protocol::Cause& value) { return assign(protocol::decode_cause(dump_json(from)), value); }
  static Failure read(const json& from, protocol::ExitStatus& value) { return assign(parse_exit(from, "exit"), value); }
  static Failure read(const json& from, InstanceSpec& value) { return assign(parse_spec(dump_json(from)), value); }
  template <class T>
  static Failure read(const json& from, std::optional<T>& value) {
    value.reset();
    return from.is_null() ? Failure() : read(from, value.emplace());
  }
  template <class T>
  static Failure read(const json& from, std::vector<T>& values) {
    if (!from.is_array()) return unfit("a list");
    values.clear();
    for (const auto& each : from)
      if (auto failure = read(each, values.emplace_back())) return failure;
    return {};
  }
  template <class T, std::size_t N>
  static Failure read(const json& from, std::array<T, N>& values) {
    if (!from.is_array() || from.size() != N) return unfit("a list of that length");
    for (std::size_t n = 0; n < N; ++n)
      if (auto failure = read(from[n], values[n])) return failure;
    return {};
  }
  template <class Key, class T>
  static Failure read(const json& from, std::map<Key, T>& values) {
    if (!from.is_array()) return unfit("a list of pairs");
    values.clear();
    for (const auto& pair : from) {
      Key key{};
      if (!pair.is_array() || pair.size() != 2) return unfit("a pair");
      if (auto failure = read(pair[0], key)) return failure;
      if (auto failure = read(pair[1], values[std::move(key)])) return failure;
    }
    return {};
  }
  template <class T>
    requires Described<T, Reader>
  static Failure read(const json& from, T& value) {
    Reader inner(from);
    if (!inner.error_) fields(inner, value);
    return inner.take_error();
  }

  template <class T, class Any>
  static Failure take(Result<Any> parsed, T& value) {
    if (!parsed) return parsed.error();
    auto* const known = std::get_if<T>(&*parsed);
    if (known == nullptr) return unfit("of its kind");
    value = std::move(*known);
    return {};
  }
  template <class T>
  static Failure assign(Result<T> parsed, T& value) {
    if (!parsed) return parsed.error();
    value = std::move(*parsed);
    return {};
  }

  const json& object_;
  Failure error_;
};

}  // namespace vigil::machine::archive
