// vigil crashes: every death in a VM with its cause, its trace and last words.
#include "host/cli/commands.hpp"
#include "host/cli/trace_view.hpp"
#include "host/cli/view.hpp"
#include "shared/base/encoding.hpp"
#include "shared/protocol/report.hpp"

#include <nlohmann/json.hpp>

#include <optional>

namespace vigil::cli {

using nlohmann::json;

namespace {

struct CrashesOptions {
  std::string name;
  std::optional<std::uint32_t> run;
  std::uint32_t lines = 8;
  bool whole_trace = false, group = false;
};

std::string exit_text(const json& exit) {
  if (const auto code = text(exit, "code"); !code.empty()) return "code " + code;
  if (!text(exit, "signal").empty()) return protocol::signal_name(static_cast<int>(number(exit, "signal")));
  return "unknown (" + text(exit, "unknown") + ")";
}

void print_tail(const json& crash, const char* key, const char* stream, std::size_t most) {
  const auto member = crash.find(key);
  if (member == crash.end() || !member->is_string()) return;
  const auto bytes = from_base64(member->get_ref<const std::string&>());
  if (!bytes) return;
  std::vector<std::string_view> lines;
  for (std::string_view rest = *bytes; !rest.empty();) {
    const auto end = rest.find('\n');
    if (const auto line = rest.substr(0, end); !line.empty()) lines.push_back(line);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  }
  const auto from = lines.size() > most ? lines.size() - most : 0;
  for (std::size_t index = from; index < lines.size(); ++index) std::printf("    %s  %s\n", stream, safe(lines[index]).c_str());
}

void print_crash(const json& crash, const CrashesOptions& options) {
  const auto service = text(crash, "service");
  std::printf("%s  %s (pid %s): %s, run %s, %s%s\n", text(crash, "crash").c_str(), (service.empty() ? text(crash, "process") : service).c_str(),
              text(crash, "pid").c_str(), exit_text(crash.value("exit", json::object())).c_str(), text(crash, "run").c_str(),
              ago(number(crash, "at_unix_us")).c_str(), is_true(crash, "partial") ? ", known from the console alone" : crash.contains("origin") ? ", of an earlier boot that could not deliver it" : "");
  if (const auto cause = crash.find("cause"); cause != crash.end() && cause->is_object()) print_cause(*cause, "  ");
  print_victim(crash);
  print_trace(crash, options.whole_trace ? Detail::whole : Detail::brief);
  print_tail(crash, "stdout_tail_b64", "out", options.lines);
  print_tail(crash, "stderr_tail_b64", "err", options.lines);
}

/// Equal deaths of all VMs.
int run_groups(Cli& cli) {
  const auto groups = cli.client().get("/v1/crashes");
  if (!groups) return fail(groups.error());
  if (cli.json) {
    print_json(*groups);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"FINGERPRINT", "COUNT", "LAST", "SERVICE", "WHERE", "WHAT", "RUNS"}};
  for (const auto& group : *groups) {
    std::string runs;
    for (const auto& run : group.value("runs", json::array())) runs += (runs.empty() ? "" : " ") + text(run, "instance") + "-" + text(run, "run");
    const auto who = text(group, "service").empty() ? text(group, "process") : text(group, "service");
    rows.push_back({text(group, "fingerprint"), text(group, "count"), ago(number(group, "last_unix_us")), who, text(group, "where"), text(group, "sentence"), runs});
  }
  print_table(rows);
  return 0;
}

int run_crashes(Cli& cli, const CrashesOptions& options) {
  if (options.group) return run_groups(cli);
  if (options.name.empty()) return fail(Error(Errc::invalid, "crashes needs a VM, or --group for those of all"));
  const auto query = options.run ? "?run=" + std::to_string(*options.run) : "";
  const auto list = cli.client().get(instance_path(options.name) + "/crashes" + query);
  if (!list) return fail(list.error());
  if (cli.json) {
    print_json(*list);
    return 0;
  }
  for (const auto& crash : *list) print_crash(crash, options);
  if (list->empty()) std::printf("nothing crashed\n");
  return 0;
}

}  // namespace

void add_crashes(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<CrashesOptions>();
  add_verb(app, cli, "crashes", "every death in a VM, with its cause, trace and last output; also after rm. --group: equal ones of all VMs",
           [&cli, options] { return run_crashes(cli, *options); })
      .text("vm", options->name, "name, id or unique prefix of an id")
      .flag("--group", options->group, "equal deaths over all VMs and runs of which something is kept")
      .number("--run", options->run, "another run than the last")
      .number("--lines", options->lines, "lines of output to show of each stream")
      .flag("--trace", options->whole_trace, "every frame of every thread");
}

}  // namespace vigil::cli
