// vigil start: another run of an instance.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

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
  add_verb(app, cli, "start", "start a stopped VM, and show its stages until it is ready", [&cli, name] { return run_start(cli, *name); })
      .text("vm", *name, "name, id or unique prefix of an id", Need::required);
}

}  // namespace vigil::cli
