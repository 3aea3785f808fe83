// vigil events: the stored events, and with -f what happens from now on.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <ctime>
#include <map>
#include <optional>
#include <utility>

namespace vigil::cli {

using nlohmann::json;

namespace {

struct EventsOptions {
  std::string name;
  std::optional<std::uint64_t> after;
  bool follow = false;
};

std::string clock_time(std::int64_t unix_us) {
  const std::time_t seconds = unix_us / 1'000'000;
  std::tm local{};
  localtime_r(&seconds, &local);
  char buffer[32], with_ms[48];
  std::strftime(buffer, sizeof buffer, "%H:%M:%S", &local);
  std::snprintf(with_ms, sizeof with_ms, "%s.%03d", buffer, static_cast<int>(unix_us / 1000 % 1000));
  return with_ms;
}

json causes_of(const json& body) {
  const auto causes = body.find("causes");
  return causes != body.end() && causes->is_array() ? *causes : json::array();
}

/// The few members that tell an event apart, in this order.
std::string gist(const json& body) {
  std::string gist;
  for (const char* key : {"stage", "phase", "name", "service", "state", "power", "kind", "text", "reason", "actor", "detail"}) {
    const auto value = text(body, key);
    if (!value.empty()) gist += (gist.empty() ? "" : " ") + value.substr(0, 100);
  }
  if (const auto cause = body.find("cause"); cause != body.end() && cause->is_object()) gist += "  " + text(*cause, "code");
  for (const auto& cause : causes_of(body)) gist += "  " + text(cause, "code");
  return gist;
}

/// Health comes every few seconds: a person wants to hear of it when its causes change.
class HealthFilter {
public:
  bool lets_pass(const json& event) {
    if (text(event, "type") != "health") return true;
    const auto causes = causes_of(event.at("body"));
    return std::exchange(causes_[text(event, "instance")], causes) != causes;
  }

private:
  std::map<std::string, json> causes_;
};

void print_event(const json& event) {
  std::printf("%-6s %s  %s/%s  %-16s %s\n", text(event, "seq").c_str(), clock_time(number(event, "at_unix_us")).c_str(), text(event, "instance").c_str(),
              text(event, "run").c_str(), text(event, "type").c_str(), gist(event.at("body")).c_str());
  std::fflush(stdout);
}

int run_events(Cli& cli, const EventsOptions& options) {
  std::string query = "/v1/events?after=" + std::to_string(options.after.value_or(0));
  if (!options.follow) query += "&follow=0";
  if (!options.name.empty()) query += "&instance=" + segment(options.name);
  json all = json::array();
  HealthFilter health;
  const auto followed = cli.client().follow(query, [&](const StreamedEvent& streamed) {
    auto event = parse_json(streamed.data);
    if (!event || !event->contains("body")) return true;
    if (cli.json && options.follow) std::printf("%s\n", dump_json(*event).c_str());
    else if (cli.json) all.push_back(std::move(*event));
    else if (health.lets_pass(*event)) print_event(*event);
    return std::fflush(stdout) == 0;
  });
  const bool ended = !options.follow && is_end_of_stream(followed);
  if (!followed && !ended) return fail(followed.error());
  if (cli.json && !options.follow) print_json(all);
  return 0;
}

}  // namespace

void add_events(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<EventsOptions>();
  add_verb(app, cli, "events", "what happened; -f: and what happens from now on (with --json one object a line). Health is shown when its causes change; --json has every report",
                              [&cli, options] { return run_events(cli, *options); })
      .text("vm", options->name, "only of this VM")
      .number("--after", options->after, "only events behind this number")
      .flag("-f,--follow", options->follow, "go on until interrupted");
}

}  // namespace vigil::cli
