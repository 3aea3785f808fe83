// How each struct of the protocol looks as JSON; private to this folder (codec.hpp is the way in).
//
// Shape:  one wire_*.cpp a family, holding to_json and parse_* of its structs and nothing else's. to_json keeps every limit by cutting, so that what we
//         send always decodes; parse_* enforces the same limits.
// Errors: Errc::unsupported from a parse_* means "a word that this build does not know": the caller keeps the JSON instead (OtherReport).
#pragma once

#include "shared/base/encoding.hpp"
#include "shared/base/enum_names.hpp"
#include "shared/json/json.hpp"
#include "shared/protocol/codec.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <string>

namespace vigil::protocol::wire {

using nlohmann::json;

inline constexpr std::size_t max_text_bytes = 4096;  // where no smaller limit is named
inline constexpr std::size_t max_detail_bytes = 256;
inline constexpr std::size_t max_tail_bytes = 64 * 1024;
inline constexpr std::size_t max_cause_fields = 16, max_field_bytes = 1024;
inline constexpr std::size_t max_evidence_lines = 16, max_evidence_bytes = 512;
inline constexpr std::size_t max_probes = 64, max_names = 256, max_frames = 64, max_thread_frames = 32, max_other_threads = 63,
                             max_health_causes = 32;
inline constexpr std::size_t max_file_systems = 32, max_top = 16, max_kernel_messages = 32, max_listeners = 256;
inline constexpr std::size_t max_url_bytes = 4096, max_screen_bytes = 8 * 1024;
inline constexpr std::size_t max_config_entries = 1024, max_config_bytes = 64 * 1024;

json text(std::string_view value, std::size_t max_bytes = max_text_bytes);
json number(std::uint64_t value);  // the largest JSON integer when it is over it: "very much" stays very much
/// JSON text as a value inside ours; text that does not parse (our own bug) travels as a string.
json nested(const std::string& json_text);
json texts(const std::vector<std::string>& values, std::size_t max_items, std::size_t max_bytes = max_text_bytes);

inline void put_members(json::object_t&) {}
template <class Value, class... Rest>
void put_members(json::object_t& object, const char* key, Value&& value, Rest&&... rest) {
  object.emplace(key, std::forward<Value>(value));
  put_members(object, std::forward<Rest>(rest)...);
}
/// An object of names and values in turn. The library's initializer lists make an array of two of each pair first: every report is such an object.
template <class... Members>
json object_of(Members&&... members) {
  json object = json::object();
  put_members(object.get_ref<json::object_t&>(), std::forward<Members>(members)...);
  return object;
}

template <class E>
Result<E> read_enum(const json& object, const char* key) {
  TRY(word, read_string(object, key, 64));
  if (const auto value = parse_enum<E>(word)) return *value;
  return Error(Errc::unsupported, std::string(key) + ": unknown word '" + word + "'");
}

template <class Int>
Result<Int> read_int(const json& object, const char* key) {
  using Limits = std::numeric_limits<Int>;
  constexpr auto lo = std::max(static_cast<long double>(Limits::min()), -static_cast<long double>(max_json_integer));
  constexpr auto hi = std::min(static_cast<long double>(Limits::max()), static_cast<long double>(max_json_integer));
  TRY(value, read_integer(object, key, static_cast<std::int64_t>(lo), static_cast<std::int64_t>(hi)));
  return static_cast<Int>(value);
}

/// For fields that an older peer may not send.
template <class Int>
Result<Int> read_int_or(const json& object, const char* key, Int fallback) {
  return object.contains(key) ? read_int<Int>(object, key) : Result<Int>(fallback);
}
Result<std::string> read_text_or(const json& object, const char* key, std::string fallback, std::size_t max_bytes = max_text_bytes);
Result<bool> read_bool_or(const json& object, const char* key, bool fallback);
Result<std::vector<std::string>> read_texts_or_none(const json& object, const char* key, std::size_t max_items,
                                                    std::size_t max_bytes = max_text_bytes);

/// The objects of a list, each read by `parse`; no list is an empty one.
template <class T, class Parse>
Result<std::vector<T>> read_list(const json& object, const char* key, std::size_t max_items, Parse parse) {
  std::vector<T> items;
  const auto list = object.find(key);
  if (list == object.end()) return items;
  if (!list->is_array()) return Error(Errc::invalid, std::string(key) + ": not a list");
  if (list->size() > max_items) return Error(Errc::limit, std::string(key) + ": more than " + std::to_string(max_items) + " items");
  for (const auto& each : *list) {
    Result<T> item = parse(each);
    if (!item) return item.error().with_context(std::string(key) + "[" + std::to_string(items.size()) + "]");
    items.push_back(std::move(*item));
  }
  return items;
}

// wire_cause.cpp
json to_json(const Cause& cause);
Result<Cause> parse_cause(const json& object);
Result<std::optional<Cause>> read_cause_if_any(const json& object, const char* key);

// wire_report.cpp
json to_json(const StageReport& report);
Result<StageReport> parse_stage(const json& object);
json to_json(const ProbeResult& probe);
Result<ProbeResult> parse_probe(const json& object);
json to_json(const ServiceReport& report);
Result<ServiceReport> parse_service(const json& object);
json to_json(const DroppedReport& report);
Result<DroppedReport> parse_dropped(const json& object);
json to_json(const ByeReport& report);
Result<ByeReport> parse_bye(const json& object);

// wire_signin.cpp
json to_json(const SigninReport& report);
Result<SigninReport> parse_signin(const json& object);

// wire_health.cpp
json to_json(const FileSystemHealth& file_system);
Result<FileSystemHealth> parse_file_system(const json& object);
json to_json(const ProcessHealth& process);
Result<ProcessHealth> parse_process(const json& object);
json to_json(const KernelMessage& message);
Result<KernelMessage> parse_kernel_message(const json& object);
json to_json(const HealthReport& report);
Result<HealthReport> parse_health(const json& object);
json to_json(const ListeningPort& port);
Result<ListeningPort> parse_listening_port(const json& object);
json to_json(const NetReport& report);
Result<NetReport> parse_net(const json& object);

// wire_crash.cpp
json to_json(const ExitStatus& exit);
Result<ExitStatus> parse_exit(const json& object);
json to_json(const CrashReport& report);
Result<CrashReport> parse_crash(const json& object);
json to_json(const CrashTrace& trace);
Result<CrashTrace> parse_crash_trace(const json& object);

// wire_control.cpp
json to_json(const Hello& hello);
Result<Hello> parse_hello(const json& object);
json to_json(const Welcome& welcome);
Result<Welcome> parse_welcome(const json& object);
json to_json(const Ack& ack);
Result<Ack> parse_ack(const json& object);
json to_json(const Ping& ping);
Result<Ping> parse_ping(const json& object);
json to_json(const Pong& pong);
Result<Pong> parse_pong(const json& object);
json to_json(const Request& request);
Result<Request> parse_request(const json& object);
json to_json(const Reply& reply);
Result<Reply> parse_reply(const json& object);

template <class T>
json list_of(const std::vector<T>& items, std::size_t max_items) {
  json list = json::array();
  for (std::size_t i = 0; i < std::min(items.size(), max_items); ++i) list.push_back(to_json(items[i]));
  return list;
}

}  // namespace vigil::protocol::wire
