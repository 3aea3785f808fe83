#include "guest/config/agent_options.hpp"

#include <charconv>
#include <cstddef>
#include <optional>

namespace vigil::guest::config {
namespace {

using Kind = protocol::ByeReport::Kind;

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// The names under which programs ask for a browser; guest/signin makes links of them.
bool is_browser_name(std::string_view program) {
  return program == "open-url" || program == "xdg-open" || program == "sensible-browser" || program == "x-www-browser" || program == "www-browser";
}

std::string* text_option(RunOptions& run, std::string_view name) {
  if (name == "--services") return &run.services;
  if (name == "--link") return &run.link;
  if (name == "--streams") return &run.streams;
  if (name == "--config") return &run.config_file;
  if (name == "--boot-id") return &run.boot_id;
  if (name == "--console") return &run.console;
  if (name == "--runtime-dir") return &run.runtime_dir;
  if (name == "--journal") return &run.journal;
  if (name == "--cgroup") return &run.cgroup;
  if (name == "--image") return &run.image;
  return nullptr;
}

/// "unix:PATH" becomes PATH.
Result<void> take_socket_path(std::string& value, const std::string& option) {
  constexpr std::string_view scheme = "unix:";
  if (!value.starts_with(scheme)) return Error(Errc::invalid, option + " takes unix:PATH; vsock is for VMs of Vigil only");
  value.erase(0, scheme.size());
  if (value.empty() || value.size() > 107) return Error(Errc::invalid, option + ": the path must have 1 to 107 bytes");
  return {};
}

Result<void> finish(RunOptions& run) {
  if (run.link.empty()) return Error(Errc::invalid, "run: --link unix:PATH is needed");
  TRY_VOID(take_socket_path(run.link, "--link"));
  if (!run.streams.empty()) TRY_VOID(take_socket_path(run.streams, "--streams"));
  if (!run.boot_id.empty()) TRY_VOID([&]() -> Result<void> { TRY(boot, parse_boot_id(run.boot_id)); (void)boot; return {}; }());
  return {};
}

Result<AgentOptions> parse_run(const std::vector<std::string>& words) {
  RunOptions run;
  for (std::size_t i = 2; i < words.size(); ++i) {
    const std::string& name = words[i];
    if (i + 1 >= words.size()) return Error(Errc::invalid, name + " needs a value");
    const std::string& value = words[++i];
    if (std::string* text = text_option(run, name)) {
      *text = value;
    } else if (name == "--accelerator") {
      const auto accelerator = parse_enum<protocol::Accelerator>(value);
      if (!accelerator) return Error(Errc::invalid, "--accelerator takes kvm or tcg, not " + value);
      run.accelerator = *accelerator;
    } else {
      return Error(Errc::invalid, "run does not know " + name);
    }
  }
  TRY_VOID(finish(run));
  return AgentOptions(std::move(run));
}

Result<AgentOptions> parse_check(const std::vector<std::string>& words) {
  CheckOptions check;
  for (std::size_t i = 2; i < words.size(); ++i) {
    if (words[i] == "--json") check.json = true;
    else if (words[i].starts_with("-") || !check.directory.empty()) return Error(Errc::invalid, "check does not know " + words[i]);
    else check.directory = words[i];
  }
  if (check.directory.empty()) return Error(Errc::invalid, "check needs a directory");
  return AgentOptions(std::move(check));
}

Result<void> take_ask_option(AskAgent& ask, const std::vector<std::string>& words, std::size_t& at) {
  const bool shows = ask.verb == AskAgent::Verb::status || ask.verb == AskAgent::Verb::why;
  if (words[at] == "--json" && shows) {
    ask.json = true;
  } else if (words[at] == "--raw" && ask.verb == AskAgent::Verb::logs) {
    ask.raw = true;
  } else if (words[at] == "--socket") {
    if (++at >= words.size()) return Error(Errc::invalid, "--socket needs a value");
    ask.socket = words[at];
  } else {
    return Error(Errc::invalid, words[1] + " does not know " + words[at]);
  }
  return {};
}

Result<AgentOptions> parse_ask(AskAgent::Verb verb, const std::vector<std::string>& words) {
  AskAgent ask;
  ask.verb = verb;
  std::vector<std::string> names;
  for (std::size_t i = 2; i < words.size(); ++i) {
    if (words[i].starts_with("--")) TRY_VOID(take_ask_option(ask, words, i));
    else names.push_back(words[i]);
  }
  const bool signals = verb == AskAgent::Verb::ctl && !names.empty() && names[0] == "signal";
  const std::size_t needed = verb == AskAgent::Verb::ctl ? (signals ? 3 : 2) : verb == AskAgent::Verb::logs ? 1 : 0;
  if (names.size() != needed) return Error(Errc::invalid, words[1] + (needed == 0 ? " takes no " + names[0] : " needs other words"));
  if (verb == AskAgent::Verb::logs) ask.service = names[0];
  if (verb == AskAgent::Verb::ctl) {
    ask.action = names[0];
    ask.service = names[1];
    if (signals) ask.signal = names[2];
  }
  return AgentOptions(std::move(ask));
}

/// -1 for "none".
std::optional<int> descriptor(const std::string& word) {
  if (word == "none") return -1;
  int number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size() || number < 0) return std::nullopt;
  return number;
}

Result<AgentOptions> parse_resume(const std::vector<std::string>& words) {
  const auto state = descriptor(words[2]), program = descriptor(words[3]), signal = descriptor(words[4]);
  if (!state || !program || !signal || *state < 0) return Error(Errc::invalid, "resume takes STATE OLD SIGNAL, each a number or none");
  return AgentOptions(ResumeInit{*state, *program, *signal < 0 ? 0 : *signal});
}

}  // namespace

Result<AgentOptions> parse_agent_options(const std::vector<std::string>& words) {
  const std::string_view called = words.empty() ? std::string_view() : base_name(words[0]);
  // A halted virtual CPU helps nobody: halt powers off.
  if (called == "poweroff" || called == "halt") return AgentOptions(AskInit{Kind::poweroff});
  if (called == "reboot") return AgentOptions(AskInit{Kind::reboot});
  if (is_browser_name(called) && words.size() >= 2) return AgentOptions(OpenUrl{words.back()});   // options of a browser are nothing to us
  if (words.size() < 2) return Error(Errc::invalid, "a command is needed");
  const std::string& command = words[1];
  if (command == "run") return parse_run(words);
  if (command == "check") return parse_check(words);
  if (command == "status") return parse_ask(AskAgent::Verb::status, words);
  if (command == "why") return parse_ask(AskAgent::Verb::why, words);
  if (command == "logs") return parse_ask(AskAgent::Verb::logs, words);
  if (command == "ctl") return parse_ask(AskAgent::Verb::ctl, words);
  if (command == "open-url" && words.size() == 3) return AgentOptions(OpenUrl{words[2]});
  if (command == "unit-failed" && words.size() == 3) return AgentOptions(TellUnitFailed{words[2]});
  if (command == "keep-crashes" && words.size() == 4) return AgentOptions(KeepCrashes{words[2], words[3]});
  if (command == "resume" && words.size() == 5) return parse_resume(words);
  if (command == "upgrade-trial" && words.size() == 3) {
    const auto state = descriptor(words[2]);
    if (!state || *state < 0) return Error(Errc::invalid, "upgrade-trial takes the number of a descriptor");
    return AgentOptions(TryUpgrade{*state});
  }
  if (words.size() > 2) return Error(Errc::invalid, command + " does not know " + words[2]);
  if (command == "poweroff" || command == "halt") return AgentOptions(AskInit{Kind::poweroff});
  if (command == "reboot") return AgentOptions(AskInit{Kind::reboot});
  if (command == "version" || command == "--version") return AgentOptions(ShowVersion{});
  if (command == "init") return AgentOptions(BeInit{});
  if (command == "systemd") return AgentOptions(ServeSystemd{});
  if (command == "file-stream") return AgentOptions(ServeFileStream{});
  return Error(Errc::invalid, "unknown command " + command);
}

std::string usage() {
  return "usage: vigil-guest run --services DIR --link unix:PATH [--streams unix:PATH] [--config FILE] [--boot-id ID]\n"
         "                       [--console FILE] [--runtime-dir DIR] [--journal DIR] [--cgroup DIR] [--image DIGEST]\n"
         "                       [--accelerator kvm|tcg]\n"
         "       vigil-guest check DIR [--json]      every error of the service files; 0 right, 1 wrong, 2 usage\n"
         "       vigil-guest status [--json]         state, services, ports; as root inside the VM, as all below\n"
         "       vigil-guest why [--json]            what is wrong, with evidence and what to do\n"
         "       vigil-guest logs SERVICE [--raw]    the last output of a service that runs\n"
         "       vigil-guest ctl start|stop|restart|reload SERVICE\n"
         "       vigil-guest ctl signal SERVICE SIGNAL\n"
         "                       each with [--socket PATH]: another agent's than /run/vigil/agent.sock\n"
         "       vigil-guest poweroff | reboot       asks the VM's init\n"
         "       vigil-guest version\n";
}

}  // namespace vigil::guest::config
