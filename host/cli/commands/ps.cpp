// vigil ps: all VMs, a line each.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

namespace vigil::cli {

using nlohmann::json;

namespace {

/// "3/3", and what is wrong where something is.
std::string services_cell(const json& vm) {
  std::size_t ready = 0, all = 0;
  for (const auto& service : vm.at("services")) {
    ++all;
    if (text(service, "state") == "ready") ++ready;
  }
  return std::to_string(ready) + "/" + std::to_string(all);
}

int run_ps(Cli& cli) {
  const auto list = cli.client().get("/v1/instances");
  if (!list) return fail(list.error());
  if (cli.json) {
    print_json(*list);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"NAME", "ID", "STATE", "SERVICES", "RUN", "ACCEL", "IMAGE", "CREATED", "CAUSE"}};
  for (const auto& vm : *list)
    rows.push_back({text(vm, "name"), text(vm, "id"), text(vm, "state"), services_cell(vm), text(vm, "run"), text(vm, "accelerator"),
                    short_image(text(vm, "image")), ago(number(vm, "created_unix_us")), cause_cell(vm)});
  print_table(rows);
  return 0;
}

}  // namespace

void add_ps(CLI::App& app, Cli& cli) {
  add_verb(app, cli, "ps", "list the VMs", [&cli] { return run_ps(cli); }).alias("list");
}

}  // namespace vigil::cli
