// vigil hold, lease, policy: keep a VM, and see what its policies would do.
#include "host/cli/commands.hpp"
#include "host/cli/log_lines.hpp"
#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <ctime>

namespace vigil::cli {

using nlohmann::json;

namespace {

struct PolicyOptions {
  std::string name, length, holder;
  bool release = false;
};

constexpr std::int64_t us_per_s = 1'000'000;

/// "90s", "10m", "2h", "3d".
Result<std::int64_t> seconds_of(const std::string& length) {
  const std::time_t now = std::time(nullptr);
  const auto before = parse_since(length, now);
  const auto seconds = before ? now - *before / us_per_s : 0;
  if (seconds <= 0) return Error(Errc::invalid, "\"" + length + "\" is not a length of time like 90s, 10m, 2h or 3d");
  return seconds;
}

std::string moment(const json& object, const char* key) {
  if (!object.contains(key) || !object.at(key).is_number()) return "-";
  const std::time_t seconds = number(object, key) / us_per_s;
  std::tm local{};
  localtime_r(&seconds, &local);
  char buffer[32];
  std::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M:%S", &local);
  return buffer;
}

std::string rule_text(const json& look, const char* key) {
  const auto seconds = number(look, key);
  return seconds == 0 ? "none" : std::to_string(seconds) + " s";
}

int print_policy(Cli& cli, const Result<json>& look) {
  if (!look) return fail(look.error());
  if (cli.json) {
    print_json(*look);
    return 0;
  }
  std::printf("lease %s, idle %s, expiry %s; last used %s\n", rule_text(*look, "lease_s").c_str(), rule_text(*look, "idle_s").c_str(),
              rule_text(*look, "expire_s").c_str(), moment(*look, "last_used_unix_us").c_str());
  if (look->at("paused_until_unix_us").is_number()) std::printf("paused until %s\n", moment(*look, "paused_until_unix_us").c_str());
  for (const auto& holder : look->at("holders"))
    std::printf("held by %s %s%s\n", text(holder, "kind").c_str(), safe(text(holder, "name")).c_str(),
                holder.at("until_unix_us").is_number() ? (" until " + moment(holder, "until_unix_us")).c_str() : "");
  std::vector<std::vector<std::string>> rows = {{"RULE", "DUE", "ACTION", "VERDICT", "WHY"}};
  for (const auto& each : look->at("decisions"))
    rows.push_back({text(each, "rule"), moment(each, "due_unix_us"), text(each, "action"), text(each, "verdict"), safe(text(each, "why"))});
  if (rows.size() > 1) print_table(rows);
  return 0;
}

int say(Cli& cli, const PolicyOptions& options, const char* what, bool may_end) {
  json order = {{"for_s", 0}};
  if (!options.holder.empty()) order["holder"] = options.holder;
  if (!(may_end && options.release)) {
    const auto seconds = seconds_of(options.length);
    if (!seconds) return fail(seconds.error());
    order["for_s"] = *seconds;
  }
  return print_policy(cli, cli.client().post(instance_path(options.name) + "/" + what, order));
}

int run_dry(Cli& cli, const PolicyOptions& options) {
  const auto seconds = options.length.empty() ? Result<std::int64_t>(0) : seconds_of(options.length);
  if (!seconds) return fail(seconds.error());
  return print_policy(cli, cli.client().get(instance_path(options.name) + "/policy?in_s=" + std::to_string(*seconds)));
}

constexpr const char* vm_text = "name, id or unique prefix of an id";

}  // namespace

void add_hold(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<PolicyOptions>();
  options->length = "1h";
  add_verb(app, cli, "hold", "keep a VM: no policy stops or removes it for that long",
           [&cli, options] { return say(cli, *options, "hold", true); })
      .text("vm", options->name, vm_text, Need::required)
      .text("--for", options->length, "90s, 10m, 2h, 3d (default: 1h)")
      .text("--as", options->holder, "who needs it (default: you)")
      .flag("--release", options->release, "end the hold");
}

void add_lease(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<PolicyOptions>();
  add_verb(app, cli, "lease", "say when the lease of a running VM ends; then it is stopped, unless somebody needs it",
           [&cli, options] { return say(cli, *options, "lease", false); })
      .text("vm", options->name, vm_text, Need::required)
      .text("--for", options->length, "so long from now: 90s, 10m, 2h, 3d", Need::required);
}

void add_policy(CLI::App& app, Cli& cli) {
  auto policy = add_group(app, "policy", "rules that stop or remove a VM by themselves: show, dry-run, pause, resume");
  const auto add = [&](const char* verb, const char* what, std::shared_ptr<PolicyOptions> options, std::function<int()> run) {
    return policy.below(cli, verb, what, std::move(run)).text("vm", options->name, vm_text, Need::required);
  };
  auto shown = std::make_shared<PolicyOptions>();
  add("show", "its rules, who holds it, and what is due when", shown, [&cli, shown] { return run_dry(cli, *shown); });
  auto dry = std::make_shared<PolicyOptions>();
  add("dry-run", "what they would do, now or later, with the same holders; nothing is done", dry, [&cli, dry] {
    return run_dry(cli, *dry);
  }).text("--in", dry->length, "so long from now: 90s, 10m, 2h, 3d");
  auto pause = std::make_shared<PolicyOptions>();
  add("pause", "none of them acts for that long", pause, [&cli, pause] {
    return say(cli, *pause, "policy", true);
  }).text("--for", pause->length, "90s, 10m, 2h, 3d", Need::required);
  auto resume = std::make_shared<PolicyOptions>();
  resume->release = true;
  add("resume", "they act again", resume, [&cli, resume] { return say(cli, *resume, "policy", true); });
}

}  // namespace vigil::cli
