// vigil rm: remove instances. Their evidence stays.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <vector>

namespace vigil::cli {

using nlohmann::json;

namespace {

struct RmOptions {
  std::vector<std::string> names;
  bool force = false;
};

int run_rm(Cli& cli, const RmOptions& options) {
  auto client = cli.client();
  json removed = json::array();
  int code = 0;
  for (const auto& name : options.names) {
    const auto done = client.remove(instance_path(name) + (options.force ? "?force=1" : ""));
    if (!done) {
      code = fail(done.error());
      continue;
    }
    removed.push_back(name);
    if (!cli.json) std::printf("%s is removed; its evidence is kept (vigil why %s)\n", safe(name).c_str(), safe(name).c_str());
  }
  if (cli.json) print_json(removed);
  return code;
}

}  // namespace

void add_rm(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<RmOptions>();
  add_verb(app, cli, "rm", "remove VMs with their disks; console, events and crashes are kept", [&cli, options] { return run_rm(cli, *options); })
      .texts("vm", options->names, "names, ids or unique prefixes of ids", Need::required)
      .flag("-f,--force", options->force, "also when it runs: it is killed first");
}

}  // namespace vigil::cli
