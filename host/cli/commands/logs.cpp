// vigil logs: what the services of a VM wrote, by time.
#include "host/cli/commands.hpp"
#include "host/cli/log_lines.hpp"
#include "host/cli/view.hpp"
#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <ctime>
#include <optional>

namespace vigil::cli {

using nlohmann::json;

namespace {

struct LogsOptions {
  std::string name, service, since;
  std::optional<std::uint64_t> tail, run;
  bool raw = false, follow = false, timestamps = false;
};

Result<std::string> query_of(const LogsOptions& options) {
  std::string query = "?follow=" + std::string(options.follow ? "1" : "0");
  if (!options.service.empty()) query += "&service=" + segment(options.service);
  if (options.tail) query += "&tail=" + std::to_string(*options.tail);
  if (options.run) query += "&run=" + std::to_string(*options.run);
  if (options.since.empty()) return query;
  TRY(since, parse_since(options.since, std::time(nullptr)));
  return query + "&since=" + std::to_string(since);
}

/// Their stdout and stderr go to ours. Our own words among them stand in brackets, on stderr.
void print_line(const LogsOptions& options, const LogLine& line) {
  FILE* const to = line.stream == "stderr" || line.is_note ? stderr : stdout;
  std::string text;
  if (options.timestamps) text += utc_time(line.at_unix_us) + " ";
  if (options.service.empty()) text += line.service + " | ";
  text += options.raw ? line.text : escape_for_terminal(line.text, Lines::keep);
  std::fwrite(text.data(), 1, text.size(), to);
  std::fflush(to);
}

/// One service, all of it, of the run that may be alive.
bool is_of_now(const LogsOptions& options) { return !options.service.empty() && options.since.empty() && !options.tail && !options.run; }

/// Nothing is written down of a VM that boots, or whose units write to a journal: what its agent knows is asked for.
int print_what_the_agent_has(Cli& cli, const LogsOptions& options) {
  const auto text = cli.client().bytes(instance_path(options.name) + "/logs/" + segment(options.service));
  if (!text) return fail(text.error());
  const std::string shown = options.raw ? *text : escape_for_terminal(*text, Lines::keep);
  std::fwrite(shown.data(), 1, shown.size(), stdout);
  return 0;
}

int run_logs(Cli& cli, const LogsOptions& options) {
  const auto query = query_of(options);
  if (!query) return fail(query.error());
  // The bytes as they are need no lines: nothing is added to them.
  const bool by_line = options.timestamps || options.service.empty() || !options.raw;
  LogLines lines(by_line ? LogLines::Cut::lines : LogLines::Cut::as_they_come);
  json all = json::array();
  bool any = false;
  const auto followed = cli.client().follow(instance_path(options.name) + "/logs" + *query, [&](const StreamedEvent& streamed) {
    auto record = parse_json(streamed.data);
    if (!record || streamed.type != "log") return true;
    any = true;
    if (cli.json && options.follow) std::printf("%s\n", dump_json(*record).c_str());
    else if (cli.json) all.push_back(std::move(*record));
    else
      for (const auto& line : lines.feed(*record)) print_line(options, line);
    return std::fflush(stdout) == 0;
  });
  for (const auto& line : lines.finish()) print_line(options, line);
  const bool ended = is_end_of_stream(followed);
  if (!followed && !ended) return fail(followed.error());
  if (!any && !options.follow && !cli.json && is_of_now(options)) return print_what_the_agent_has(cli, options);
  if (cli.json && !options.follow) print_json(all);
  return 0;
}

}  // namespace

void add_logs(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<LogsOptions>();
  add_verb(app, cli, "logs", "what the services of a VM wrote, by time; of ended runs and removed VMs, too. Their stderr comes on stderr", [&cli, options] { return run_logs(cli, *options); })
      .text("vm", options->name, "name, id or unique prefix of an id", Need::required)
      .text("service", options->service, "only of this service; else of all, each line with its service's name")
      .flag("-f,--follow", options->follow, "go on until the run has ended (with --json one object a line)")
      .number("--tail", options->tail, "only the last lines of each service, of stdout and of stderr")
      .text("--since", options->since, "only what was written since: 90s, 10m, 2h, 3d ago, or a time like 2026-11-26T17:40:00Z")
      .number("--run", options->run, "of this run; else of the newest")
      .flag("-t,--timestamps", options->timestamps, "each line with its time (UTC)")
      .flag("--raw", options->raw, "the bytes as they are; they can contain escape sequences");
}

}  // namespace vigil::cli
