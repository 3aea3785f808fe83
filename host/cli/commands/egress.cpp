// vigil egress test: how far a connection out of a VM gets, step by step.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace vigil::cli {

using nlohmann::json;

namespace {

struct EgressTestOptions {
  std::string name, target;
};

void print_steps(const json& report) {
  std::vector<std::vector<std::string>> rows = {{"STEP", "", "DETAIL"}};
  for (const auto& step : report.value("steps", json::array())) rows.push_back({text(step, "step"), step.value("passed", false) ? "ok" : "FAILED", text(step, "detail")});
  print_table(rows);
  const auto cause = text(report, "cause");
  if (!report.value("passed", false) && !cause.empty()) std::printf("%s\n", safe(cause).c_str());
}

/// One line a destination: the step that failed says what is wrong, the last one how it went.
void print_round(const json& reports) {
  std::vector<std::vector<std::string>> rows = {{"TARGET", "", "STEP", "DETAIL", "CAUSE"}};
  for (const auto& report : reports) {
    const auto steps = report.value("steps", json::array());
    const json last = steps.empty() ? json::object() : steps.back();
    rows.push_back({text(report, "target"), report.value("passed", false) ? "ok" : "FAILED", text(last, "step"), text(last, "detail"), text(report, "cause")});
  }
  print_table(rows);
}

int run_egress_test(Cli& cli, const EgressTestOptions& options) {
  const auto report = cli.client().post(instance_path(options.name) + "/egress/test", options.target.empty() ? json::object() : json{{"target", options.target}});
  if (!report) return fail(report.error());
  if (cli.json) print_json(*report);
  else if (report->contains("reports")) print_round((*report)["reports"]);
  else print_steps(*report);
  return report->value("passed", false) ? 0 : exit_failed;
}

}  // namespace

void add_egress(CLI::App& app, Cli& cli) {
  auto egress = add_group(app, "egress", "what leaves a VM: try it");
  auto options = std::make_shared<EgressTestOptions>();
  egress.below(cli, "test", "go the way of a program in the VM to one destination, or to all that its image declares, and say which step fails", [&cli, options] { return run_egress_test(cli, *options); })
      .text("vm", options->name, "name, id or unique prefix of an id", Need::required)
      .text("target", options->target, "https://NAME[:PORT][/PATH] or http://...; without a scheme https. Without it: the egress_targets of the VM's image");
}

}  // namespace vigil::cli
