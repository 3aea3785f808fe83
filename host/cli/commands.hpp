// The verbs of `vigil`, one file each under commands/. A verb registers itself and, when it is chosen, sets the exit code.
#pragma once

#include "host/cli/client.hpp"
#include "host/cli/verb.hpp"
#include "shared/base/error.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI { class App; }

namespace vigil::cli {

/// What every verb shares.
struct Cli {
  DaemonAddress daemon;
  bool json = false;
  int exit_code = 0;
  std::string program;                           // path of this executable
  std::vector<std::string> after_dashes;         // what followed "--" on the command line

  Client client() const { return Client(daemon); }
};

inline constexpr int exit_failed = 1, exit_usage = 2, exit_no_daemon = 3;

/// Prints the error as "vigil: ..." with the mend when there is no daemon, and gives the exit code.
int fail(const Error& error);

std::string instance_path(const std::string& name);   // "/v1/instances/NAME"

void add_up(CLI::App& app, Cli& cli);
void add_start(CLI::App& app, Cli& cli);
void add_stop(CLI::App& app, Cli& cli);
void add_hold(CLI::App& app, Cli& cli);
void add_lease(CLI::App& app, Cli& cli);
void add_policy(CLI::App& app, Cli& cli);
void add_kill(CLI::App& app, Cli& cli);
void add_reboot(CLI::App& app, Cli& cli);
void add_ps(CLI::App& app, Cli& cli);
void add_services(CLI::App& app, Cli& cli);
void add_ctl(CLI::App& app, Cli& cli);
void add_agent(CLI::App& app, Cli& cli);
void add_timeline(CLI::App& app, Cli& cli);
void add_events(CLI::App& app, Cli& cli);
void add_why(CLI::App& app, Cli& cli);
void add_crashes(CLI::App& app, Cli& cli);
void add_console(CLI::App& app, Cli& cli);
void add_logs(CLI::App& app, Cli& cli);
void add_blackbox(CLI::App& app, Cli& cli);
void add_exec(CLI::App& app, Cli& cli);
void add_shell(CLI::App& app, Cli& cli);
void add_cp(CLI::App& app, Cli& cli);
void add_ls(CLI::App& app, Cli& cli);
void add_port(CLI::App& app, Cli& cli);
void add_ports(CLI::App& app, Cli& cli);
void add_desktop(CLI::App& app, Cli& cli);
void add_egress(CLI::App& app, Cli& cli);
void add_rm(CLI::App& app, Cli& cli);
void add_image(CLI::App& app, Cli& cli);
void add_session(CLI::App& app, Cli& cli);
void add_vault(CLI::App& app, Cli& cli);
void add_token(CLI::App& app, Cli& cli);
void add_doctor(CLI::App& app, Cli& cli);
void add_version(CLI::App& app, Cli& cli);

/// Follows one run until it is ready, degraded or over; prints its progress unless `quiet`. Gives the exit code. Shared by `up` and `start`.
int watch_boot(Cli& cli, const std::string& id, std::uint32_t run);

}  // namespace vigil::cli
