// vigil console: what the VM printed, from byte 0.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"
#include "shared/base/encoding.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <optional>

namespace vigil::cli {

namespace {

struct ConsoleOptions {
  std::string name;
  std::optional<std::uint32_t> run;
  bool raw = false;
};

int run_console(Cli& cli, const ConsoleOptions& options) {
  const auto query = options.run ? "?run=" + std::to_string(*options.run) : "";
  const auto console = cli.client().bytes(instance_path(options.name) + "/console" + query);
  if (!console) return fail(console.error());
  if (cli.json) {
    print_json({{"console_b64", to_base64(*console)}});
    return 0;
  }
  const auto shown = options.raw ? *console : escape_for_terminal(*console, Lines::keep);
  std::fwrite(shown.data(), 1, shown.size(), stdout);
  return 0;
}

}  // namespace

void add_console(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<ConsoleOptions>();
  add_verb(app, cli, "console", "what the VM printed, from the first byte; also after rm", [&cli, options] { return run_console(cli, *options); })
      .text("vm", options->name, "name, id or unique prefix of an id", Need::required)
      .number("--run", options->run, "another run than the last")
      .flag("--raw", options->raw, "the bytes as they are; they can contain escape sequences");
}

}  // namespace vigil::cli
