// vigil logs: the last output of a service.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"
#include "shared/base/encoding.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace vigil::cli {

namespace {

struct LogsOptions {
  std::string name, service;
  bool raw = false;
};

int run_logs(Cli& cli, const LogsOptions& options) {
  const auto log = cli.client().bytes(instance_path(options.name) + "/logs/" + segment(options.service));
  if (!log) return fail(log.error());
  if (cli.json) {
    print_json({{"log_b64", to_base64(*log)}});
    return 0;
  }
  const auto shown = options.raw ? *log : escape_for_terminal(*log, Lines::keep);
  std::fwrite(shown.data(), 1, shown.size(), stdout);
  return 0;
}

}  // namespace

void add_logs(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<LogsOptions>();
  add_verb(app, cli, "logs", "the last output of a service: of its dead processes and of the one that lives", [&cli, options] { return run_logs(cli, *options); })
      .text("vm", options->name, "name, id or unique prefix of an id", Need::required)
      .text("service", options->service, "name of the service", Need::required)
      .flag("--raw", options->raw, "the bytes as they are; they can contain escape sequences");
}

}  // namespace vigil::cli
