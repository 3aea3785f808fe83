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

int run_egress_test(Cli& cli, const EgressTestOptions& options) {
  const auto report = cli.client().post(instance_path(options.name) + "/egress/test", json{{"target", options.target}});
  if (!report) return fail(report.error());
  const bool passed = report->value("passed", false);
  if (cli.json) {
    print_json(*report);
    return passed ? 0 : exit_failed;
  }
  std::vector<std::vector<std::string>> rows = {{"STEP", "", "DETAIL"}};
  for (const auto& step : report->value("steps", json::array())) rows.push_back({text(step, "step"), step.value("passed", false) ? "ok" : "FAILED", text(step, "detail")});
  print_table(rows);
  const auto cause = text(*report, "cause");
  if (!passed && !cause.empty()) std::printf("%s\n", safe(cause).c_str());
  return passed ? 0 : exit_failed;
}

}  // namespace

void add_egress(CLI::App& app, Cli& cli) {
  auto egress = add_group(app, "egress", "what leaves a VM: try it");
  auto options = std::make_shared<EgressTestOptions>();
  egress.below(cli, "test", "go the way of a program in the VM to one destination, and say which step fails", [&cli, options] { return run_egress_test(cli, *options); })
      .text("vm", options->name, "name, id or unique prefix of an id", Need::required)
      .text("target", options->target, "https://NAME[:PORT][/PATH] or http://...; without a scheme https", Need::required);
}

}  // namespace vigil::cli
