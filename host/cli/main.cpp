// vigil: the command line client of vigild.
#include "host/cli/commands.hpp"
#include "host/places/places.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string_view>

namespace {

constexpr const char* examples = R"(
Examples:
  vigil up minimal                  create a VM, start it, show its stages until it is ready
  vigil ps                          all VMs: state, services, cause
  vigil why web-1                   why a VM is as it is, with evidence and what to do; also after rm
  vigil events -f                   everything that happens, as it happens
  vigil exec web-1 ls -l /srv       run a program in a VM; vigil shell web-1 for a terminal
  vigil port web-1 8080             reach a port of a VM on 127.0.0.1, whatever address its service is bound to
  vigil desktop web-1               an address at which a browser sees the screen of a VM
  vigil up minimal --service web='{"env":{"DEBUG":"1"}}'

Exit codes: 0 done, 1 failed with a cause, 2 wrong usage, 3 no daemon.)";

std::string environment(const char* name) {
  const char* const given = std::getenv(name);
  return given != nullptr ? given : "";
}

std::string default_socket() {
  const char* const given = std::getenv("VIGIL_SOCKET");
  return given != nullptr && *given != '\0' ? given : vigil::default_places().socket;
}

void add_verbs(CLI::App& app, vigil::cli::Cli& cli) {
  using namespace vigil::cli;
  for (const auto add : {add_up, add_start, add_stop, add_kill, add_reboot, add_ps, add_services, add_ctl, add_agent, add_timeline, add_events, add_why, add_crashes, add_console,
                         add_logs, add_blackbox, add_exec, add_shell, add_cp, add_ls, add_port, add_ports, add_desktop, add_egress, add_hold, add_lease, add_policy, add_rm,
                         add_image, add_session, add_vault, add_token, add_doctor, add_version})
    add(app, cli);
}

int run(int argc, char** argv) {
  vigil::cli::Cli cli;
  cli.daemon.socket = default_socket();
  cli.daemon.api = environment("VIGIL_API");
  if (const auto file = environment("VIGIL_TOKEN_FILE"); !file.empty()) {
    auto token = vigil::cli::read_token(file);
    if (!token) return vigil::cli::fail(token.error());
    cli.daemon.token = std::move(*token);
  }
  std::error_code ignored;
  cli.program = std::filesystem::read_symlink("/proc/self/exe", ignored).string();
  CLI::App app("vigil boots microVMs and says what every service in them does, and why one does not come up.", "vigil");
  app.add_option("--socket", cli.daemon.socket, "the daemon's Unix socket")->capture_default_str();
  app.add_option("--api", cli.daemon.api, "the daemon's API over TCP instead, http://127.0.0.1:PORT ($VIGIL_API); the token is in the file $VIGIL_TOKEN_FILE");
  app.footer(examples);
  app.require_subcommand(1);
  app.fallthrough();
  add_verbs(app, cli);
  const auto dashes = std::find(argv + 1, argv + argc, std::string_view("--"));
  if (dashes != argv + argc) cli.after_dashes.assign(dashes + 1, argv + argc);
  try {
    app.parse(static_cast<int>(dashes - argv), argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : vigil::cli::exit_usage;
  }
  return cli.exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vigil: the daemon's answer is not understood: %s\n  -> vigil and vigild should be of one version (vigil version)\n", error.what());
    return vigil::cli::exit_failed;
  }
}
