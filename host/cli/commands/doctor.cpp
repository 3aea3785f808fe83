// vigil doctor: can this machine run VMs? Works without a daemon.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"
#include "host/doctor/doctor.hpp"
#include "host/places/places.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace vigil::cli {

using nlohmann::json;

namespace {

int run_doctor(Cli& cli) {
  const auto places = default_places();
  const auto checks = doctor::examine({.state_dir = places.state.string(), .run_dir = places.run.string(),
                                       .program_dir = std::filesystem::path(cli.program).parent_path().string()});
  json list = json::array();
  std::vector<std::vector<std::string>> rows;
  for (const auto& check : checks) {
    list.push_back({{"name", check.name}, {"status", vigil::to_text(check.status)}, {"found", check.found}, {"mend", check.mend}});
    rows.push_back({std::string(vigil::to_text(check.status)), check.name, safe(check.found)});
    if (!check.mend.empty()) rows.push_back({"", "", "-> " + safe(check.mend)});
  }
  if (cli.json) print_json(list);
  else print_table(rows);
  return doctor::worst(checks) == doctor::CheckStatus::fail ? exit_failed : 0;
}

}  // namespace

void add_doctor(CLI::App& app, Cli& cli) {
  add_verb(app, cli, "doctor", "check what this machine needs to run VMs, and say how to mend it", [&cli] { return run_doctor(cli); });
}

}  // namespace vigil::cli
