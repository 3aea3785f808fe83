#include "shared/streams/control.hpp"

#include "shared/base/ids.hpp"
#include "shared/base/overloaded.hpp"
#include "shared/protocol/wire.hpp"

namespace vigil::streams {

using nlohmann::json;

namespace {

constexpr JsonLimits control_limits{.max_bytes = max_chunk_bytes, .max_depth = 4, .max_values = 64};
constexpr int max_signal = 64;

json part_json(const LogPart& part) {
  return {{"log", {{"service", part.service}, {"channel", static_cast<int>(part.channel)}, {"offset", part.offset}, {"bytes", part.bytes}, {"lost", part.lost},
                   {"age_us", part.age_us}}}};
}

json to_json(const Control& control) {
  return std::visit(Overloaded{[](const Signal& each) { return json{{"signal", each.number}}; },
                               [](const Resize& each) { return json{{"resize", {{"rows", each.size.rows}, {"columns", each.size.columns}}}}; },
                               [](const Exit& each) { return json{{"exit", protocol::wire::to_json(each.status)}}; },
                               [](const Done& each) { return json{{"done", {{"bytes", each.bytes}}}}; },
                               [](const Lost& each) { return json{{"lost", {{"channel", static_cast<int>(each.channel)}, {"bytes", each.bytes}}}}; },
                               [](const LogPart& each) { return part_json(each); },
                               [](const Problem& each) { return json{{"problem", {{"code", to_text(each.code)}, {"detail", each.detail.substr(0, 4096)}}}}; }},
                    control);
}

Result<Control> parse_resize(const json& object) {
  TRY(rows, read_integer(object, "rows", 1, 10'000));
  TRY(columns, read_integer(object, "columns", 1, 10'000));
  return Control(Resize{{static_cast<std::uint16_t>(rows), static_cast<std::uint16_t>(columns)}});
}

Result<Control> parse_exit(const json& object) {
  TRY(status, protocol::wire::parse_exit(object));
  return Control(Exit{std::move(status)});
}

Result<Control> parse_done(const json& object) {
  TRY(bytes, read_integer(object, "bytes"));
  return Control(Done{static_cast<std::uint64_t>(bytes)});
}

Result<Control> parse_lost(const json& object) {
  TRY(channel, read_integer(object, "channel", 0, 3));
  TRY(bytes, read_integer(object, "bytes"));
  return Control(Lost{static_cast<Channel>(channel), static_cast<std::uint64_t>(bytes)});
}

Result<Control> parse_log_part(const json& object) {
  TRY(service, read_string(object, "service", 64));
  TRY(name, parse_service_name(service));
  TRY(channel, read_integer(object, "channel", 1, 2));
  TRY(offset, read_integer(object, "offset"));
  TRY(bytes, read_integer(object, "bytes", 0, max_chunk_bytes));
  TRY(lost, read_integer(object, "lost"));
  TRY(age_us, read_integer(object, "age_us"));
  return Control(LogPart{name.value(), static_cast<Channel>(channel), static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(bytes),
                         static_cast<std::uint64_t>(lost), static_cast<std::uint64_t>(age_us)});
}

Result<Control> parse_problem(const json& object) {
  TRY(code, read_string(object, "code", 64));
  TRY(detail, read_string(object, "detail", 8192));
  return Control(Problem{parse_errc(code).value_or(Errc::internal), std::move(detail)});
}

struct Kind {
  const char* key;
  Result<Control> (*parse)(const json&);
};
constexpr Kind kinds[] = {{"resize", parse_resize}, {"exit", parse_exit}, {"done", parse_done}, {"lost", parse_lost}, {"log", parse_log_part}, {"problem", parse_problem}};

}  // namespace

std::string encode(const Control& control) { return dump_json(to_json(control)); }

Result<Control> decode_control(std::string_view json_text) {
  TRY(object, parse_json(json_text, control_limits));
  if (!object.is_object()) return Error(Errc::protocol, "a control message must be a JSON object");
  if (object.contains("signal")) {
    TRY(number, read_integer(object, "signal", 1, max_signal));
    return Control(Signal{static_cast<int>(number)});
  }
  for (const auto& kind : kinds) {
    const auto found = object.find(kind.key);
    if (found == object.end()) continue;
    if (!found->is_object()) return Error(Errc::invalid, std::string(kind.key) + ": not an object");
    return kind.parse(*found);
  }
  return Error(Errc::unsupported, "a control message that this build does not know");
}

}  // namespace vigil::streams
