// vigil start: another run of an instance.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace vigil::cli {

namespace {

int run_start(Cli& cli, const std::string& name) {
  auto client = cli.client();
  const auto started = client.post(instance_path(name) + "/start", nlohmann::json::object());
  if (!started) return fail(started.error());
  return watch_boot(cli, text(*started, "id"), static_cast<std::uint32_t>(number(*started, "run")));
}

}  // namespace

void add_start(CLI::App& app, Cli& cli) {
  auto name = std::make_shared<std::string>();
  auto* const verb = add_verb(app, cli, "start", "start a stopped VM, and show its stages until it is ready", [&cli, name] { return run_start(cli, *name); });
  verb->add_option("vm", *name, "name, id or unique prefix of an id")->required();
}

}  // namespace vigil::cli
