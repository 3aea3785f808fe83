#include "guest/control/control_message.hpp"

#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::guest::control {

using nlohmann::json;

namespace {

constexpr JsonLimits question_limits{.max_bytes = max_line_bytes, .max_depth = 4, .max_values = 64};
constexpr JsonLimits answer_limits{.max_bytes = 4 << 20, .max_depth = 12, .max_values = 100'000};

json as_json(const std::string& text) {
  auto parsed = parse_json(text, answer_limits);
  return parsed ? std::move(*parsed) : json(text);
}

}  // namespace

Result<protocol::Request> parse_question(std::string_view line) {
  TRY(object, parse_json(line, question_limits));
  if (!object.is_object()) return Error(Errc::invalid, "not an object");
  TRY(op, read_string(object, "op", 64));
  if (op != "diagnose" && op != "logs" && op != "service" && op != "unit_failed")
    return Error(Errc::denied, "op: diagnose, logs or service, not " + op + "; vigil-guest poweroff and reboot end the VM");
  const auto args = object.find("args");
  return protocol::Request{0, op, args == object.end() ? "{}" : dump_json(*args)};
}

std::string encode_question(const std::string& op, const std::string& args_json) {
  return dump_json({{"op", op}, {"args", as_json(args_json)}}) + "\n";
}

std::string encode_answer(const Result<std::string>& result_json) {
  const json answer =
      result_json ? json{{"ok", true}, {"result", as_json(*result_json)}} : json{{"ok", false}, {"problem", result_json.error().message()}};
  return dump_json(answer) + "\n";
}

Result<std::string> parse_answer(std::string_view line) {
  TRY(object, parse_json(line, answer_limits));
  if (!object.is_object()) return Error(Errc::invalid, "not an object");
  TRY(ok, read_bool(object, "ok"));
  if (ok) return dump_json(object.value("result", json::object()));
  TRY(problem, read_string(object, "problem"));
  return Error(Errc::conflict, problem);
}

}  // namespace vigil::guest::control
