// vigil stop, kill, reboot: end a run, and with reboot begin the next one.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <optional>

namespace vigil::cli {

using nlohmann::json;

namespace {

struct StopOptions {
  std::string name;
  std::optional<std::uint32_t> grace_s;
  bool kill = false, no_wait = false;
};

/// The body of the order that the daemon gets.
json order_of(const StopOptions& options) {
  json body = {{"kill", options.kill}};
  if (options.grace_s) body["grace_s"] = *options.grace_s;
  return body;
}

/// Asks for it, and waits until the next run is ready.
int run_reboot(Cli& cli, const StopOptions& options) {
  auto client = cli.client();
  json body = order_of(options);
  body["reboot"] = true;
  body.erase("kill");
  const auto before = client.get(instance_path(options.name));
  if (!before) return fail(before.error());
  if (text(*before, "power") == "stopped") return fail(Error(Errc::conflict, text(*before, "name") + " does not run; vigil start starts it"));
  const auto asked = client.post(instance_path(options.name) + "/stop", body);
  if (!asked) return fail(asked.error());
  const auto id = text(*asked, "id");
  const auto next = static_cast<std::uint32_t>(number(*asked, "run")) + 1;
  if (!options.no_wait) return watch_boot(cli, id, next);
  if (cli.json) print_json(*asked);
  else std::printf("%s reboots\n", text(*asked, "name").c_str());
  return 0;
}

int run_stop(Cli& cli, const StopOptions& options) {
  auto client = cli.client();
  const auto asked = client.post(instance_path(options.name) + "/stop", order_of(options));
  if (!asked) return fail(asked.error());
  const auto id = text(*asked, "id");
  if (!options.no_wait && text(*asked, "power") != "stopped") {
    const auto run = number(*asked, "run");
    const auto followed = client.follow("/v1/events?instance=" + segment(id), [run](const StreamedEvent& streamed) {
      const auto event = parse_json(streamed.data);
      return !event || text(*event, "type") != "state" || number(*event, "run") != run || text(event->at("body"), "power") != "stopped";
    });
    if (!followed) return fail(followed.error());
  }
  const auto vm = client.get(instance_path(id));
  if (!vm) return fail(vm.error());
  if (cli.json) print_json(*vm);
  else std::printf("%s is %s%s%s\n", text(*vm, "name").c_str(), text(*vm, "state").c_str(), text(*vm, "outcome").empty() ? "" : ", ", text(*vm, "outcome").c_str());
  return 0;
}

}  // namespace

void add_stop(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<StopOptions>();
  add_verb(app, cli, "stop", "stop a VM: its services in order, then the guest", [&cli, options] { return run_stop(cli, *options); })
      .text("vm", options->name, "name, id or unique prefix of an id", Need::required)
      .number("--grace", options->grace_s, "seconds until it is killed")
      .flag("--kill", options->kill, "at once, without asking the guest")
      .flag("--no-wait", options->no_wait, "return as soon as it was asked for");
}

void add_kill(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<StopOptions>();
  options->kill = true;
  add_verb(app, cli, "kill", "end a VM at once, without asking the guest; what it had not written is lost", [&cli, options] { return run_stop(cli, *options); })
      .text("vm", options->name, "name, id or unique prefix of an id", Need::required)
      .flag("--no-wait", options->no_wait, "return as soon as it was asked for");
}

void add_reboot(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<StopOptions>();
  add_verb(app, cli, "reboot", "stop a VM in order and start its next run", [&cli, options] { return run_reboot(cli, *options); })
      .text("vm", options->name, "name, id or unique prefix of an id", Need::required)
      .number("--grace", options->grace_s, "seconds until the run that ends is killed")
      .flag("--no-wait", options->no_wait, "return as soon as it was asked for");
}

}  // namespace vigil::cli
