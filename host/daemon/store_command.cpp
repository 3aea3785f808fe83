#include "host/daemon/store_command.hpp"

#include "host/daemon/state_lock.hpp"
#include "host/store/rebuild.hpp"

#include <iostream>

namespace vigil::daemon {

namespace {

Result<store::ProjectionReport> compare_stored(const Options& options) {
  const auto lock = lock_state(options.places.lock());
  if (!lock) return lock.error().with_context("a store can be looked at when its daemon is stopped");
  const bool rebuild = options.command == Command::rebuild_store;
  return store::compare_projections(options.places.database().string(), rebuild ? store::Repair::replace_tables : store::Repair::none);
}

void print(const store::ProjectionReport& report) {
  for (const auto& each : report.differences) {
    const bool is_missing = each.kind == store::RowDifference::Kind::missing;
    std::cout << (is_missing ? "missing " : "surplus ") << each.table << " " << each.row << "\n";
  }
  if (report.more != 0) std::cout << "and " << report.more << " more\n";
  std::cout << report.events << " events of " << report.instances << " instances";
  if (report.checkpoints != 0) std::cout << " on " << report.checkpoints << " checkpoints";
  std::cout << ", " << report.differences.size() + report.more << " rows differ\n";
}

}  // namespace

int run_store_command(const Options& options) {
  const auto report = compare_stored(options);
  if (!report) {
    std::cerr << "vigild: " << report.error().message() << "\n";
    return 2;
  }
  print(*report);
  const bool differs = !report->differences.empty();
  if (differs && options.command == Command::rebuild_store) std::cout << "the tables were replaced by what the log leads to\n";
  return differs && options.command == Command::check_store ? 1 : 0;
}

}  // namespace vigil::daemon
