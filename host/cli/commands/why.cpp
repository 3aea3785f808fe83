// vigil why: the cause, its evidence, and what to do.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

#include <optional>

namespace vigil::cli {

using nlohmann::json;

namespace {

struct WhyOptions {
  std::string name;
  std::optional<std::uint32_t> run;
};

void print_finding(const json& finding) {
  const auto service = text(finding, "service");
  if (!service.empty()) std::printf("  service %s\n", service.c_str());
  print_cause(finding.at("cause"), "  ");
}

void print_why(const json& why) {
  std::printf("%s\n", text(why, "summary").c_str());
  if (const auto verdict = why.find("verdict"); verdict != why.end() && verdict->is_object()) print_finding(*verdict);
  const auto also = why.value("also", json::array());
  if (!also.empty()) std::printf("also:\n");
  for (const auto& finding : also) print_finding(finding);
}

int run_why(Cli& cli, const WhyOptions& options) {
  const auto query = options.run ? "?run=" + std::to_string(*options.run) : "";
  const auto why = cli.client().get(instance_path(options.name) + "/why" + query);
  if (!why) return fail(why.error());
  if (cli.json) print_json(*why);
  else print_why(*why);
  return 0;
}

}  // namespace

void add_why(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<WhyOptions>();
  add_verb(app, cli, "why", "why a VM is as it is, with evidence and what to do; also after rm", [&cli, options] { return run_why(cli, *options); })
      .text("vm", options->name, "name, id or unique prefix of an id", Need::required)
      .number("--run", options->run, "another run than the last");
}

}  // namespace vigil::cli
