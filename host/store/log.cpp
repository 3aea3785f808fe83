// Writing a batch: the events, the tables that follow from them, one transaction. The one place that writes the log (tests/lint/projections.py).
#include "host/store/batch_state.hpp"

#include "host/fault/fault_point.hpp"
#include "host/store/event_sum.hpp"
#include "host/store/snapshots.hpp"

namespace vigil::store {

Result<void> BatchState::commit() {
  if (failed_) return *failed_;
  if (empty()) return {};
  if (const auto written = write(); !written) {
    store_.database.roll_back();
    return written.error().with_context("store " + std::to_string(encoded_.size()) + " events");
  }
  keep();
  if (store_.checkpointer) store_.checkpointer->committed();
  return {};
}

Result<void> BatchState::write() {
  TRY_VOID(store_.database.run("BEGIN IMMEDIATE"));
  TRY_VOID(write_events());
  TRY_VOID(write_places());
  for (const auto& [row, snapshot] : store_.snapshots_to_come) TRY_VOID(write_snapshot(store_.database, row, snapshot));
  TRY_VOID(projection_.write());
  const fault::Around around(fault::Step::commit);
  return store_.database.run("COMMIT");
}

Result<void> BatchState::write_events() {
  TRY(name, store_.database.prepare("INSERT INTO log_instances(row, id) VALUES(?, ?)"));
  for (const auto& [row, id] : new_rows_) TRY_VOID(name.bind(1, row).bind(2, id.value()).run());
  TRY(insert, store_.database.prepare("INSERT INTO events(seq, instance, run, type, at_unix_us, mono_us, body, stands_for, sum) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (std::size_t i = 0; i < encoded_.size(); ++i) {
    const auto& event = *encoded_[i];
    const auto stands_for = rows_[i].stands_for.to_text(), body = machine::kept_body(event);
    insert.bind(1, event.seq).bind(2, rows_[i].instance).bind(3, std::uint64_t{event.run.value()}).bind(4, event.type);
    insert.bind(5, event.at_unix_us).bind(6, event.mono_us).bind(7, body);
    if (stands_for.empty()) insert.bind_null(8);
    else insert.bind(8, stands_for);
    insert.bind(9, std::uint64_t{sum_of(event, body)});
    TRY_VOID(insert.run());
  }
  if (superseded_.empty()) return {};
  TRY(erase, store_.database.prepare("DELETE FROM events WHERE seq = ?"));
  for (const auto& place : superseded_) TRY_VOID(erase.bind(1, place.seq).run());
  return {};
}

Result<void> BatchState::write_places() {
  store_.places.begin_batch();   // an earlier try may have failed
  for (std::size_t i = 0; i < encoded_.size(); ++i) store_.places.add({rows_[i].instance, encoded_[i]->seq});
  for (const auto& place : superseded_) store_.places.erase(place);
  return store_.places.write(store_.database);
}

/// What is written is emptied, so that the batch cannot be written twice.
void BatchState::keep() {
  store_.next_event += encoded_.size();
  projection_.keep();
  store_.places.keep();
  store_.snapshots_to_come.clear();
  for (auto& [row, latest] : health_) store_.health.insert_or_assign(row, std::move(latest));
  for (const auto row : dead_) store_.health.erase(row);
  health_.clear();
  dead_.clear();
  superseded_.clear();
  new_rows_.clear();
  rows_.clear();
  failed_ = Error(Errc::conflict, "this batch was committed already");
}

}  // namespace vigil::store
