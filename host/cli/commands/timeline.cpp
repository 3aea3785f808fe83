// vigil timeline: the stages of a boot and what each took.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

#include <optional>

namespace vigil::cli {

using nlohmann::json;

namespace {

struct TimelineOptions {
  std::string name;
  std::optional<std::uint32_t> run;
};

std::string time_cell(const json& row, const char* key) {
  const auto value = row.find(key);
  return value == row.end() || !value->is_number() ? "" : milliseconds(number(row, key));
}

void print_stages(const json& timeline) {
  std::vector<std::vector<std::string>> rows = {{"STAGE", "STATE", "AT", "TOOK", ""}};
  for (const auto& stage : timeline.at("stages")) {
    rows.push_back({text(stage, "stage"), text(stage, "state"), time_cell(stage, "since_start_ms"), time_cell(stage, "took_ms"), text(stage, "detail")});
    for (const auto& service : stage.value("services", json::array()))
      rows.push_back({"  " + text(service, "name"), text(service, "state"), time_cell(service, "ready_after_ms"), "", ""});
  }
  std::printf("run %s, %s\n", text(timeline, "run").c_str(), text(timeline, "accelerator").c_str());
  print_table(rows);
}

int run_timeline(Cli& cli, const TimelineOptions& options) {
  const auto query = options.run ? "?run=" + std::to_string(*options.run) : "";
  const auto timeline = cli.client().get(instance_path(options.name) + "/timeline" + query);
  if (!timeline) return fail(timeline.error());
  if (cli.json) print_json(*timeline);
  else print_stages(*timeline);
  return 0;
}

}  // namespace

void add_timeline(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<TimelineOptions>();
  add_verb(app, cli, "timeline", "the stages of a boot and what each took; also after rm", [&cli, options] { return run_timeline(cli, *options); })
      .text("vm", options->name, "name, id or unique prefix of an id", Need::required)
      .number("--run", options->run, "another run than the last");
}

}  // namespace vigil::cli
