#include "host/store/snapshots.hpp"

#include "host/store/store.hpp"
#include "host/store/store_state.hpp"
#include "shared/base/encoding.hpp"

namespace vigil::store {

Result<void> Store::keep_snapshot(const InstanceId& instance, const Snapshot& snapshot) {
  TRY(known, state_->instance(instance));
  if (!known) return Error(Errc::not_found, "there is no instance \"" + instance.value() + "\"");
  TRY(keep, state_->database.prepare("INSERT OR REPLACE INTO snapshots(instance, seq, sum, body) VALUES(?, ?, ?, ?)"));
  keep.bind(1, known->row).bind(2, snapshot.seq).bind(3, std::uint64_t{crc32c(snapshot.body)}).bind(4, snapshot.body);
  return keep.run();
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
