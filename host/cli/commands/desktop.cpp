// vigil desktop: the address at which one browser sees the screen of a VM.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace vigil::cli {

using nlohmann::json;

namespace {

/// The address alone on standard output, so that $(vigil desktop VM) can be opened; what there is to say of it beside.
int run_desktop(Cli& cli, const std::string& name) {
  const auto invitation = cli.client().post(instance_path(name) + "/desktop", json::object());
  if (!invitation) return fail(invitation.error());
  if (cli.json) {
    print_json(*invitation);
    return 0;
  }
  std::printf("%s\n", safe(text(*invitation, "url")).c_str());
  const auto view = invitation->value("view", json::object());
  std::fprintf(stderr, "vigil: it lets one browser in, within %s s; %s\n", text(*invitation, "valid_s").c_str(),
               safe(text(view, "sentence")).c_str());
  if (!invitation->value("novnc", false))
    std::fprintf(
        stderr,
        "vigil: the daemon has no noVNC, so the page can say how the VM is, but not draw its screen\n  -> ./dev setup with npm installed, then start vigild again\n");
  return 0;
}

}  // namespace

void add_desktop(CLI::App& app, Cli& cli) {
  auto name = std::make_shared<std::string>();
  add_verb(app, cli, "desktop", "print an address at which one browser sees the screen of a VM", [&cli, name] {
    return run_desktop(cli, *name);
  }).text("vm", *name, "name, id or unique prefix of an id", Need::required);
}

}  // namespace vigil::cli
