// vigil version: of the client and, when there is one, of the daemon.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace vigil::cli {

namespace {

int run_version(Cli& cli) {
  const auto daemon = cli.client().get("/v1/daemon");
  nlohmann::json versions = {{"vigil", VIGIL_VERSION}, {"vigild", nullptr}};
  if (daemon) versions["vigild"] = text(*daemon, "version");
  if (cli.json) print_json(versions);
  else std::printf("vigil %s\nvigild %s\n", VIGIL_VERSION, daemon ? text(*daemon, "version").c_str() : "does not run");
  return 0;
}

}  // namespace

void add_version(CLI::App& app, Cli& cli) {
  add_verb(app, cli, "version", "of the client and of the daemon", [&cli] { return run_version(cli); });
}

}  // namespace vigil::cli
