// vigil ports: which TCP ports a VM has, whose they are, and where they are reached.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

namespace vigil::cli {

using nlohmann::json;

namespace {

std::string addresses_cell(const json& port) {
  std::string cell;
  for (const auto& address : port.value("addresses", json::array()))
    if (address.is_string()) cell += (cell.empty() ? "" : " ") + address.get<std::string>();
  return cell.empty() ? "(nobody listens)" : cell;
}

int run_ports(Cli& cli, const std::string& name) {
  const auto list = cli.client().get(instance_path(name) + "/ports");
  if (!list) return fail(list.error());
  if (cli.json) {
    print_json(*list);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"PORT", "SERVICE", "STATE", "PROCESS", "ADDRESSES", "REACHED AT"}};
  for (const auto& port : *list)
    rows.push_back({text(port, "port"), text(port, "service"), text(port, "state"), text(port, "process"), addresses_cell(port),
                    text(port, "url").empty() ? text(port, "path") : text(port, "url")});
  print_table(rows);
  return 0;
}

}  // namespace

void add_ports(CLI::App& app, Cli& cli) {
  auto name = std::make_shared<std::string>();
  add_verb(app, cli, "ports", "which TCP ports a VM has, whose they are, and where HTTP reaches them", [&cli, name] { return run_ports(cli, *name); })
      .text("vm", *name, "name, id or unique prefix of an id", Need::required);
}

}  // namespace vigil::cli
