// vigil up: create an instance, start it, show how it boots.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace vigil::cli {

using nlohmann::json;

namespace {

struct UpOptions {
  std::string image, name, vmm, kernel_args;
  std::uint32_t memory_mib = 0, vcpus = 0;
  std::vector<std::string> env, services, labels, egress;
  std::optional<std::uint32_t> disk_mib, lease_s, idle_s, expire_s;
  bool no_wait = false;
};

/// "NAME=VALUE" words into an object; `parse` makes the value.
template <class Parse>
Result<json> named_values(const std::vector<std::string>& words, const char* option, Parse parse) {
  json object = json::object();
  for (const auto& word : words) {
    const auto equals = word.find('=');
    if (equals == word.npos || equals == 0) return Error(Errc::invalid, std::string(option) + " wants NAME=VALUE, not '" + word + "'");
    TRY(value, parse(word.substr(equals + 1)));
    object[word.substr(0, equals)] = std::move(value);
  }
  return object;
}

Result<json> as_text(const std::string& value) { return json(value); }

Result<json> as_json(const std::string& value) {
  auto parsed = parse_json(value);
  if (!parsed) return parsed.error().with_context("--service '" + value + "' is not JSON");
  return parsed;
}

/// "deny", "direct", an object as it is, or the hosts that are allowed.
Result<json> egress_of(const std::vector<std::string>& words) {
  if (words.size() == 1 && (words.front() == "deny" || words.front() == "direct")) return json(words.front());
  if (words.size() != 1 || !words.front().starts_with('{')) return json{{"mode", "allow"}, {"allow", words}};
  auto parsed = parse_json(words.front());
  if (!parsed) return parsed.error().with_context("--egress '" + words.front() + "' is not JSON");
  return parsed;
}

Result<json> create_body(const UpOptions& options) {
  json body = {{"image", options.image}};
  if (!options.name.empty()) body["name"] = options.name;
  if (!options.vmm.empty()) body["vmm"] = options.vmm;
  if (!options.kernel_args.empty()) body["kernel_args"] = options.kernel_args;
  if (options.memory_mib != 0) body["memory_mib"] = options.memory_mib;
  if (options.vcpus != 0) body["vcpus"] = options.vcpus;
  for (const auto& [key, value] : {std::pair("disk_mib", options.disk_mib), std::pair("lease_s", options.lease_s), std::pair("idle_s", options.idle_s), std::pair("expire_s", options.expire_s)})
    if (value) body[key] = *value;
  TRY(env, named_values(options.env, "--env", as_text));
  TRY(services, named_values(options.services, "--service", as_json));
  TRY(labels, named_values(options.labels, "--label", as_text));
  if (!options.egress.empty()) {
    TRY(egress, egress_of(options.egress));
    body["egress"] = egress;
  }
  if (!env.empty()) body["env"] = env;
  if (!services.empty()) body["services"] = services;
  if (!labels.empty()) body["labels"] = labels;
  return body;
}

int run_up(Cli& cli, const UpOptions& options) {
  auto client = cli.client();
  const auto body = create_body(options);
  if (!body) return fail(body.error());
  const auto created = client.post("/v1/instances?start=1", *body);
  if (!created) return fail(created.error());
  if (!options.no_wait) return watch_boot(cli, text(*created, "id"), static_cast<std::uint32_t>(number(*created, "run")));
  if (cli.json) print_json(*created);
  else std::printf("%s\n", text(*created, "name").c_str());
  return 0;
}

}  // namespace

void add_up(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<UpOptions>();
  add_verb(app, cli, "up", "create a VM, start it, and show its stages until it is ready", [&cli, options] { return run_up(cli, *options); })
      .text("image", options->image, "image, as NAME or NAME@DIGEST", Need::required)
      .text("--name", options->name, "name of the VM (default: invented)")
      .number("--memory", options->memory_mib, "memory in MiB")
      .number("--disk", options->disk_mib, "writable disk in MiB; 0: none, what it writes is in its memory and ends with the run")
      .number("--vcpus", options->vcpus, "virtual processors")
      .text("--vmm", options->vmm, "auto, qemu or firecracker (needs KVM; not run on real hardware yet)")
      .texts("--env", options->env, "NAME=VALUE for every service (repeatable)")
      .texts("--service", options->services, "NAME=JSON laid over a service's file, as a merge patch (repeatable)")
      .texts("--egress", options->egress, "what it may reach: deny, direct, HOST[:PORT,...] (repeatable; *.NAME, *), or JSON; without it nothing")
      .texts("--label", options->labels, "NAME=VALUE (repeatable)")
      .number("--lease", options->lease_s, "seconds after its start until it is stopped, unless somebody needs it (vigil hold, vigil lease)")
      .number("--idle", options->idle_s, "seconds without any use until it is stopped")
      .number("--expire", options->expire_s, "seconds without a run until it is removed")
      .text("--kernel-args", options->kernel_args, "appended to the kernel command line")
      .flag("--no-wait", options->no_wait, "return as soon as the start was asked for");
}

}  // namespace vigil::cli
