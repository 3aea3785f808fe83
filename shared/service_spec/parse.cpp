#include "shared/service_spec/parse.hpp"

#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"
#include "shared/protocol/report.hpp"
#include "shared/service_spec/capabilities.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <initializer_list>

namespace vigil::service_spec {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr JsonLimits file_limits{.max_bytes = 64 * 1024, .max_depth = 8, .max_values = 4096};

void read_name(KeyReader& reader, ServiceSpec& spec) {
  reader.require("name");
  const auto name = reader.text("name", 64);
  if (name && *name != spec.name.value()) reader.complain("name", "'" + *name + "' in the file of '" + spec.name.value() + "'");
}

void read_exec(KeyReader& reader, ServiceSpec& spec) {
  reader.require("exec");
  const auto argv = reader.texts("exec");
  if (!argv) return;
  if (argv->empty()) return reader.complain("exec", "empty");
  if (!argv->front().starts_with('/')) reader.complain("exec[0]", "not an absolute path");
  spec.exec = *argv;
}

void read_user(KeyReader& reader, ServiceSpec& spec) {
  const auto user = reader.text("user", 64);
  if (!user) return;
  const auto colon = user->find(':');
  spec.user = user->substr(0, colon);
  if (colon != user->npos) spec.group = user->substr(colon + 1);
  if (spec.user.empty() || (colon != user->npos && spec.group.empty())) reader.complain("user", "neither NAME nor NAME:GROUP");
}

void read_env(KeyReader& reader, ServiceSpec& spec, std::vector<Problem>& problems) {
  const json* const env = reader.member("env");
  if (env == nullptr) return;
  KeyReader variables(*env, reader.path_of("env"), problems);
  if (!env->is_object()) return;
  for (const auto& [name, ignored] : env->items()) {
    const auto value = variables.text(name.c_str());
    if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != name.npos)
      variables.complain(to_valid_utf8(name, 64), "not a variable's name");
    if (value) spec.env[name] = *value;
  }
}

void read_cwd(KeyReader& reader, ServiceSpec& spec) {
  spec.cwd = reader.text("cwd", 1024).value_or(spec.cwd);
  if (!spec.cwd.starts_with('/')) reader.complain("cwd", "not an absolute path");
}

void read_capabilities(KeyReader& reader, ServiceSpec& spec) {
  const auto names = reader.texts("capabilities");
  if (!names) return;
  std::uint64_t set = 0;
  for (std::size_t i = 0; i < names->size(); ++i) {
    if (const auto number = capability_number((*names)[i]))
      set |= std::uint64_t{1} << *number;
    else
      reader.complain("capabilities[" + std::to_string(i) + "]", "no capability of Linux, such as CAP_NET_BIND_SERVICE");
  }
  spec.capabilities = set;
}

std::vector<ServiceName> read_names(KeyReader& reader, const char* key) {
  std::vector<ServiceName> names;
  std::size_t index = 0;
  for (const auto& text : reader.texts(key).value_or(std::vector<std::string>())) {
    auto name = parse_service_name(text);
    if (!name && !text.empty()) reader.complain(std::string(key) + "[" + std::to_string(index) + "]", name.error().message());
    if (name) names.push_back(std::move(*name));
    ++index;
  }
  return names;
}

/// Only of services that it comes after: else it could start before that one is back.
void read_restart_with(KeyReader& reader, ServiceSpec& spec) {
  spec.restart_with = read_names(reader, "restart_with");
  const auto& after = spec.after;
  const auto& needed = spec.requires_ready;
  for (std::size_t i = 0; i < spec.restart_with.size(); ++i) {
    const ServiceName& name = spec.restart_with[i];
    if (std::find(after.begin(), after.end(), name) == after.end() && std::find(needed.begin(), needed.end(), name) == needed.end())
      reader.complain("restart_with[" + std::to_string(i) + "]", "'" + name.value() + "' is neither in after nor in requires");
  }
}

void read_ready(KeyReader& reader, ServiceSpec& spec, std::vector<Problem>& problems) {
  const json* const ready = reader.member("ready");
  if (ready == nullptr) return;
  const auto add = [&](const json& probe, const std::string& path) {
    if (auto parsed = parse_probe(probe, path, problems)) spec.ready.push_back(std::move(*parsed));
  };
  if (!ready->is_array()) return add(*ready, "ready");
  if (ready->size() > 64) return reader.complain("ready", "more than 64 probes");
  for (std::size_t i = 0; i < ready->size(); ++i) add((*ready)[i], "ready[" + std::to_string(i) + "]");
}

std::optional<RestartWhen> parse_restart_when(const std::string& text) {
  if (text == "always") return RestartWhen::always;
  if (text == "on-failure") return RestartWhen::on_failure;
  if (text == "never") return RestartWhen::never;
  return std::nullopt;
}

void read_restart_when(KeyReader& reader, const char* key, RestartSpec& restart) {
  const auto text = reader.text(key, 64);
  if (!text) return;
  if (const auto when = parse_restart_when(*text))
    restart.when = *when;
  else
    reader.complain(key, "none of always, on-failure, never");
}

void read_restart(KeyReader& reader, RestartSpec& restart, std::vector<Problem>& problems) {
  const json* const value = reader.member("restart");
  if (value == nullptr) return;
  if (value->is_string()) return read_restart_when(reader, "restart", restart);
  KeyReader policy(*value, "restart", problems);
  read_restart_when(policy, "policy", restart);
  restart.backoff = milliseconds(policy.integer("backoff_ms", 1, 3'600'000).value_or(restart.backoff.count()));
  restart.backoff_max = milliseconds(policy.integer("backoff_max_ms", 1, 3'600'000).value_or(restart.backoff_max.count()));
  if (restart.backoff_max < restart.backoff) policy.complain("backoff_max_ms", "less than backoff_ms");
  if (const json* const loop = policy.member("crash_loop")) {
    KeyReader limits(*loop, "restart.crash_loop", problems);
    restart.loop_exits = static_cast<std::uint32_t>(limits.integer("exits", 1, 1000).value_or(restart.loop_exits));
    restart.loop_window = limits.seconds("window_s", 0.1, 86'400).value_or(restart.loop_window);
    limits.finish();
  }
  policy.finish();
}

/// nullopt, with a complaint, when it is no signal; when it is absent too.
std::optional<int> read_signal(KeyReader& keys) {
  const auto name = keys.text("signal", 16);
  if (!name) return std::nullopt;
  const auto signal = protocol::signal_number(*name);
  if (!signal) keys.complain("signal", "not a signal's name such as SIGTERM");
  return signal;
}

void read_stop(KeyReader& reader, StopSpec& stop, std::vector<Problem>& problems) {
  const json* const value = reader.member("stop");
  if (value == nullptr) return;
  KeyReader keys(*value, "stop", problems);
  stop.signal = read_signal(keys).value_or(stop.signal);
  stop.grace = keys.seconds("grace_s", 0, 3600).value_or(stop.grace);
  keys.finish();
}

void read_reload(KeyReader& reader, ServiceSpec& spec, std::vector<Problem>& problems) {
  const json* const value = reader.member("reload");
  if (value == nullptr) return;
  KeyReader keys(*value, "reload", problems);
  keys.require("signal");
  spec.reload_signal = read_signal(keys);
  keys.finish();
}

void check_stable_for(KeyReader& reader, const ServiceSpec& spec) {
  for (const auto& probe : spec.ready)
    if (const auto* stable = std::get_if<StableForProbe>(&probe); stable && stable->duration >= spec.ready_timeout)
      reader.complain("ready_timeout_s", "not longer than stable-for.seconds");
}

/// "64M" -> bytes; K, M and G are powers of 1024.
std::optional<std::uint64_t> parse_size(const std::string& text) {
  const auto unit_at = text.find_first_not_of("0123456789");
  const std::string digits = text.substr(0, unit_at);
  const std::string unit = unit_at == text.npos ? "" : text.substr(unit_at);
  if (digits.empty() || digits.size() > 9) return std::nullopt;
  const std::uint64_t value = std::stoull(digits);
  if (unit.empty()) return value;
  if (unit == "K") return value << 10;
  if (unit == "M") return value << 20;
  if (unit == "G") return value << 30;
  return std::nullopt;
}

constexpr std::uint64_t least_memory = 64 * 1024;

void read_memory(KeyReader& keys, LimitSpec& limits) {
  const json* const value = keys.member("memory");
  if (value == nullptr) return;
  if (!value->is_string()) {
    if (const auto bytes = keys.integer("memory", least_memory, max_json_integer)) limits.memory_bytes = static_cast<std::uint64_t>(*bytes);
    return;
  }
  limits.memory_bytes = parse_size(keys.text("memory", 32).value_or(""));
  if (!limits.memory_bytes || *limits.memory_bytes < least_memory)
    keys.complain("memory", "neither bytes nor a size such as 64M, of at least 64K");
}

void read_limits(KeyReader& reader, LimitSpec& limits, std::vector<Problem>& problems) {
  const json* const value = reader.member("limits");
  if (value == nullptr) return;
  KeyReader keys(*value, "limits", problems);
  const auto count = [&](const char* key, std::int64_t hi) -> std::optional<std::uint64_t> {
    const auto number = keys.integer(key, 1, hi);
    return number ? std::optional(static_cast<std::uint64_t>(*number)) : std::nullopt;
  };
  read_memory(keys, limits);
  limits.pids = count("pids", 4'194'304);
  limits.nofile = count("nofile", 1'048'576);
  limits.cpu_percent = count("cpu_percent", 100'000);
  keys.finish();
}

bool can_be_asked_again(const ProbeSpec& probe) {
  return !std::holds_alternative<NotifyFdProbe>(probe) && !std::holds_alternative<SdNotifyProbe>(probe) && !std::holds_alternative<StableForProbe>(probe);
}

void read_health(KeyReader& reader, ServiceSpec& spec, std::vector<Problem>& problems) {
  const json* const value = reader.member("health");
  if (value == nullptr) return;
  KeyReader keys(*value, "health", problems);
  HealthSpec health{TcpProbe{}};
  keys.require("probe");
  if (const json* const probe = keys.member("probe")) health.probe = parse_probe(*probe, "health.probe", problems).value_or(health.probe);
  health.interval = keys.seconds("interval_s", 0.1, 86'400).value_or(health.interval);
  if (!can_be_asked_again(health.probe)) keys.complain("probe", probe_name(health.probe) + " speaks once, at the start; health needs a probe that can be asked again");
  health.failures = static_cast<std::uint32_t>(keys.integer("failures", 1, 1000).value_or(health.failures));
  health.restart = keys.boolean("restart").value_or(health.restart);
  if (health.restart && spec.restart.when == RestartWhen::never) keys.complain("restart", "true, but the service's own restart is never");
  keys.finish();
  spec.health = std::move(health);
}

void read_secrets(KeyReader& reader, ServiceSpec& spec) {
  static constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  spec.secrets = reader.texts("secrets").value_or(std::vector<std::string>());
  for (std::size_t i = 0; i < spec.secrets.size(); ++i) {
    const auto& name = spec.secrets[i];
    if (name.empty() || name.starts_with('.') || name.size() > 128 || name.find_first_not_of(letters) != name.npos)
      reader.complain("secrets[" + std::to_string(i) + "]", "not a secret's name: letters, digits, . _ -");
  }
}

void read_spec(const json& object, ParsedFile& parsed) {
  auto& [spec, problems] = parsed;
  KeyReader reader(object, "", problems);
  if (!object.is_object()) return;
  read_name(reader, spec);
  read_exec(reader, spec);
  read_user(reader, spec);
  read_env(reader, spec, problems);
  read_cwd(reader, spec);
  read_capabilities(reader, spec);
  spec.no_new_privs = reader.boolean("no_new_privs").value_or(false);
  spec.after = read_names(reader, "after");
  spec.requires_ready = read_names(reader, "requires");
  spec.wants = read_names(reader, "wants");
  read_restart_with(reader, spec);
  spec.essential = reader.boolean("essential").value_or(true);
  read_ready(reader, spec, problems);
  spec.ready_timeout = reader.seconds("ready_timeout_s", 0.01, 86'400).value_or(spec.ready_timeout);
  read_restart(reader, spec.restart, problems);
  check_stable_for(reader, spec);
  read_stop(reader, spec.stop, problems);
  read_reload(reader, spec, problems);
  read_limits(reader, spec.limits, problems);
  read_health(reader, spec, problems);
  read_secrets(reader, spec);
  reader.finish();
}

/// An object of which one key is chosen (a probe) is replaced whole, as a list is: merged with the file's it would be of two kinds.
void make_way_for(const json& overlay, json& object, std::initializer_list<const char*> path) {
  const json* theirs = &overlay;
  json* ours = &object;
  for (const char* key : path) {
    if (!theirs->is_object() || !ours->is_object() || !theirs->contains(key) || !ours->contains(key)) return;
    theirs = &theirs->at(key);
    ours = &ours->at(key);
  }
  if (ours->is_object()) *ours = nullptr;
}

/// The file with its overlay laid over it; nothing when either is not JSON, which is then noted.
std::optional<json> merged(const SpecSource& source, std::vector<Problem>& problems) {
  auto object = parse_json(source.text, file_limits, JsonComments::allow);
  if (!object) problems.push_back({"", object.error().message()});
  if (!source.overlay) return object ? std::optional(std::move(*object)) : std::nullopt;
  const auto overlay = parse_json(*source.overlay, file_limits);
  if (!overlay || !overlay->is_object()) problems.push_back({"(overlay)", overlay ? "not an object" : overlay.error().message()});
  if (!problems.empty()) return std::nullopt;
  make_way_for(*overlay, *object, {"ready"});
  make_way_for(*overlay, *object, {"health", "probe"});
  object->merge_patch(*overlay);
  return std::move(*object);
}

}  // namespace

std::string stem_of(const std::string& file) {
  const auto slash = file.rfind('/');
  const auto base = slash == file.npos ? file : file.substr(slash + 1);
  return base.ends_with(".json") ? base.substr(0, base.size() - 5) : base;
}

protocol::Cause spec_invalid(const std::string& file, const Problem& problem) {
  const auto key = problem.key.empty() ? std::string("(file)") : problem.key;
  return protocol::make_cause(protocol::CauseCode::service_spec_invalid, {{"file", file}, {"key", key}}, {problem.reason});
}

ParsedFile parse_file(const SpecSource& source) {
  ParsedFile parsed;
  parsed.spec.file = source.file;
  auto name = parse_service_name(stem_of(source.file));
  if (name)
    parsed.spec.name = std::move(*name);
  else
    parsed.problems.push_back({"", name.error().message()});
  if (const auto object = merged(source, parsed.problems)) read_spec(*object, parsed);
  return parsed;
}

}  // namespace vigil::service_spec
