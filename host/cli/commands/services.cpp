// vigil services: what every service inside a VM does. vigil ctl: one of them started, stopped, restarted, reloaded or sent a signal.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace vigil::cli {

using nlohmann::json;

namespace {

std::string probes_cell(const json& service) {
  std::string cell;
  for (const auto& probe : service.value("probes", json::array()))
    cell += (cell.empty() ? "" : " ") + text(probe, "probe") + (is_true(probe, "passed") ? "" : "(waiting)");
  return cell;
}

int run_services(Cli& cli, const std::string& name) {
  const auto list = cli.client().get(instance_path(name) + "/services");
  if (!list) return fail(list.error());
  if (cli.json) {
    print_json(*list);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"SERVICE", "STATE", "PID", "RESTARTS", "ESSENTIAL", "PROBES", "CAUSE"}};
  for (const auto& service : *list)
    rows.push_back({text(service, "name"), text(service, "state"), number(service, "pid") == 0 ? "" : text(service, "pid"), text(service, "restarts"),
                    is_true(service, "essential") ? "yes" : "no", probes_cell(service), cause_cell(service)});
  print_table(rows);
  return 0;
}

struct CtlOptions {
  std::string name, action, service, signal;
};

int run_ctl(Cli& cli, const CtlOptions& options) {
  json order = {{"action", options.action}};
  if (!options.signal.empty()) order["signal"] = options.signal;
  const auto asked = cli.client().post(instance_path(options.name) + "/services/" + segment(options.service), order);
  if (!asked) return fail(asked.error());
  if (cli.json) print_json(*asked);
  else std::printf("%s %s: asked; vigil services shows what becomes of it\n", options.action.c_str(), options.service.c_str());
  return 0;
}

}  // namespace

void add_ctl(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<CtlOptions>();
  add_verb(app, cli, "ctl", "start, stop, restart or reload a service, or send it a signal", [&cli, options] { return run_ctl(cli, *options); })
      .text("vm", options->name, "name, id or unique prefix of an id", Need::required)
      .text("action", options->action, "start, stop, restart, reload (what its file says) or signal", Need::required)
      .text("service", options->service, "name of the service", Need::required)
      .text("signal", options->signal, "with signal: SIGHUP, HUP, ...");
}

void add_services(CLI::App& app, Cli& cli) {
  auto name = std::make_shared<std::string>();
  add_verb(app, cli, "services", "what every service inside a VM does", [&cli, name] { return run_services(cli, *name); })
      .text("vm", *name, "name, id or unique prefix of an id", Need::required);
}

}  // namespace vigil::cli
