// The agent's own command line, parsed once.
//
//   vigil-guest run --services DIR --link unix:PATH [--streams unix:PATH] [--config FILE] [--boot-id ID] [--console FILE] [--runtime-dir DIR]
//                   [--cgroup DIR] [--image DIGEST] [--accelerator kvm|tcg]
//   vigil-guest check DIR [--json]
//   vigil-guest status [--json] | why [--json] | logs SERVICE [--raw] | ctl start|stop|restart|reload SERVICE | ctl signal SERVICE SIGNAL
//                   [--socket PATH]          (asks the agent that runs; for root inside the VM)
//   vigil-guest poweroff | reboot          (also by those names, and halt, as argv[0])
//   vigil-guest version
//   vigil-guest init                       (from the initramfs stage, as PID 1)
//   vigil-guest systemd                    (started by systemd as vigil-guest.service)
//   vigil-guest unit-failed UNIT           (started by systemd when a unit has failed)
//   vigil-guest file-stream                (started by the agent: serves one file stream)
//   vigil-guest upgrade-trial STATE        (by an agent that is about to be replaced: whether this build can take its place; STATE is a descriptor)
//   vigil-guest resume STATE OLD SIGNAL    (as PID 1, in the place of another build)
//   vigil-guest open-url URL               (also as xdg-open and its like: run by a CLI that signs a user in)
//
// Errors: Errc::invalid naming the word that is wrong.
#pragma once

#include "shared/base/ids.hpp"
#include "shared/base/result.hpp"
#include "shared/protocol/report.hpp"

#include <string>
#include <variant>
#include <vector>

namespace vigil::guest::config {

struct RunOptions {
  std::string services = "/etc/vigil/services.d";
  std::string link, streams;          // paths of Unix sockets; streams may be empty
  std::string config_file;            // a GuestConfig as the host would send it; empty: none
  std::string boot_id;                // empty: the kernel's
  std::string console;                // where console records go; empty: nowhere
  std::string runtime_dir;            // empty: a directory of its own below /tmp
  std::string journal;                // where crash reports are kept for a later life; empty: nowhere
  std::string cgroup;                 // a delegated cgroup v2 directory; empty: none
  std::string image;
  protocol::Accelerator accelerator = protocol::Accelerator::kvm;
};
struct CheckOptions { std::string directory; bool json = false; };
struct AskAgent {
  enum class Verb { status, why, logs, ctl };
  Verb verb = Verb::status;
  std::string service, action, signal;      // as the verb needs them
  bool json = false, raw = false;
  std::string socket = "/run/vigil/agent.sock";
};
struct AskInit { protocol::ByeReport::Kind kind = protocol::ByeReport::Kind::poweroff; };
struct ShowVersion {};
struct BeInit {};
struct ServeFileStream {};
struct KeepCrashes { std::string directory, change; };
struct ServeSystemd {};
struct TryUpgrade { int state_fd = -1; };
struct ResumeInit { int state_fd = -1, program_fd = -1; int signal = 0; };   // signal: what the newer agent died of; program_fd: where to go back to
struct OpenUrl { std::string url; };
struct TellUnitFailed { std::string unit; std::string socket = "/run/vigil/agent.sock"; };

using AgentOptions = std::variant<RunOptions, CheckOptions, AskAgent, AskInit, ShowVersion, BeInit, ServeFileStream, ServeSystemd, TellUnitFailed, KeepCrashes, OpenUrl, TryUpgrade, ResumeInit>;

/// `words` holds argv[0] too.
Result<AgentOptions> parse_agent_options(const std::vector<std::string>& words);
std::string usage();

}  // namespace vigil::guest::config
