#include "guest/control/commands.hpp"

#include "guest/control/ask_agent.hpp"
#include "guest/control/view.hpp"
#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>

namespace vigil::guest::control {

using nlohmann::json;

namespace {

int complain(const Error& error) {
  std::fprintf(stderr, "vigil-guest: %s\n", error.message().c_str());
  return EXIT_FAILURE;
}

Result<json> ask(const config::AskAgent& options, const std::string& op, const json& args = json::object()) {
  TRY(text, ask_agent(options.socket, op, dump_json(args)));
  return parse_json(text, JsonLimits{.max_bytes = 4 << 20, .max_depth = 12, .max_values = 100'000});
}

int show(const config::AskAgent& options, std::string (*view)(const json&)) {
  const auto diagnosis = ask(options, "diagnose");
  if (!diagnosis) return complain(diagnosis.error());
  const std::string text = options.json ? dump_json_pretty(*diagnosis) + "\n" : view(*diagnosis);
  std::fputs(text.c_str(), stdout);
  return EXIT_SUCCESS;
}

int show_logs(const config::AskAgent& options) {
  const auto logs = ask(options, "logs", {{"name", options.service}});
  if (!logs) return complain(logs.error());
  for (const auto& [stream, file] : {std::pair{"stdout", stdout}, std::pair{"stderr", stderr}}) {
    const auto bytes = from_base64(logs->value(std::string(stream) + "_tail_b64", ""));
    if (!bytes) return complain(bytes.error());
    const std::string shown = options.raw ? *bytes : escape_for_terminal(*bytes, Lines::keep);
    std::fwrite(shown.data(), 1, shown.size(), file);
  }
  return EXIT_SUCCESS;
}

int control_service(const config::AskAgent& options) {
  json args = {{"name", options.service}, {"action", options.action}};
  if (!options.signal.empty()) args["signal"] = options.signal;
  const auto done = ask(options, "service", args);
  if (!done) return complain(done.error());
  std::printf("%s %s: asked; vigil-guest status shows what becomes of it\n", options.action.c_str(), options.service.c_str());
  return EXIT_SUCCESS;
}

}  // namespace

int tell_unit_failed(const config::TellUnitFailed& failed) {
  const char* const result = std::getenv("MONITOR_SERVICE_RESULT");   // systemd.exec(5)
  const json args = {{"unit", failed.unit}, {"result", result == nullptr ? "" : result}};
  const auto told = ask_agent(failed.socket, "unit_failed", dump_json(args));
  return told ? EXIT_SUCCESS : complain(told.error());
}

int run_command(const config::AskAgent& ask) {
  switch (ask.verb) {
    case config::AskAgent::Verb::status: return show(ask, status_text);
    case config::AskAgent::Verb::why: return show(ask, why_text);
    case config::AskAgent::Verb::logs: return show_logs(ask);
    case config::AskAgent::Verb::ctl: return control_service(ask);
  }
  std::abort();
}

}  // namespace vigil::guest::control
