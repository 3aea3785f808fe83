#include "host/store/snapshots.hpp"

#include "host/store/store_state.hpp"
#include "shared/base/encoding.hpp"

namespace vigil::store {

namespace {

constexpr std::size_t most_with_a_batch = 4;   // the guests of a fleet that all do the same are due at the same moment

Error not_there(const InstanceId& instance) { return Error(Errc::not_found, "there is no instance \"" + instance.value() + "\""); }

}  // namespace

Result<void> write_snapshot(Database& database, std::uint64_t instance, const Snapshot& snapshot) {
  TRY(keep, database.prepare("INSERT OR REPLACE INTO snapshots(instance, seq, sum, body) VALUES(?, ?, ?, ?)"));
  keep.bind(1, instance).bind(2, snapshot.seq).bind(3, std::uint64_t{crc32c(snapshot.body)}).bind(4, snapshot.body);
  return keep.run();
}

Result<void> Store::keep_snapshot(const InstanceId& instance, const Snapshot& snapshot) {
  TRY(known, state_->instance(instance));
  if (!known) return not_there(instance);
  state_->snapshots_to_come.erase(known->row);
  return write_snapshot(state_->database, known->row, snapshot);
}

bool Store::has_room_for_snapshot() const { return state_->snapshots_to_come.size() < most_with_a_batch; }

Result<void> Store::add_snapshot(const InstanceId& instance, Snapshot snapshot) {
  TRY(known, state_->instance(instance));
  if (!known) return not_there(instance);
  state_->snapshots_to_come.insert_or_assign(known->row, std::move(snapshot));
  return {};
}

Result<std::optional<Snapshot>> Store::snapshot(const InstanceId& instance) const {
  std::optional<Snapshot> found;
  TRY(rows,
      state_->database.prepare("SELECT s.seq, s.sum, s.body FROM snapshots s JOIN log_instances l ON l.row = s.instance WHERE l.id = ?"));
  rows.bind(1, instance.value());
  TRY(has_row, rows.step());
  if (!has_row) return found;
  Snapshot snapshot{rows.integer(0), rows.text(2)};
  if (rows.integer(1) == crc32c(snapshot.body)) found = std::move(snapshot);   // else it is as good as none
  return found;
}

Result<void> forget_snapshots(Database& database) { return database.run("DELETE FROM main.snapshots"); }

}  // namespace vigil::store
