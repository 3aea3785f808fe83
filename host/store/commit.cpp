// Writing a batch: one transaction, then the same changes in memory.
#include "host/store/batch_state.hpp"
#include "shared/base/overloaded.hpp"

namespace vigil::store {

Result<void> BatchState::commit() {
  if (failed_) return *failed_;
  if (empty()) return {};
  if (const auto written = write(); !written) {
    store_.database.roll_back();
    return written.error().with_context("store " + std::to_string(encoded_.size()) + " events");
  }
  keep();
  return {};
}

Result<void> BatchState::write() {
  TRY_VOID(store_.database.run("BEGIN IMMEDIATE"));
  TRY_VOID(write_projections());
  TRY_VOID(write_events());
  TRY_VOID(write_streams());
  TRY_VOID(write_partials());
  return store_.database.run("COMMIT");
}

Result<void> BatchState::write_projections() {
  TRY(create, store_.database.prepare("INSERT INTO instances(row, id, name, spec, image_digest, created_unix_us) VALUES(?, ?, ?, ?, ?, ?)"));
  TRY(start, store_.database.prepare("UPDATE instances SET last_run = ? WHERE row = ?"));
  TRY(remove, store_.database.prepare("UPDATE instances SET removed_unix_us = ? WHERE row = ? AND removed_unix_us IS NULL"));
  for (const auto& projection : projections_)
    TRY_VOID(std::visit(Overloaded{
                            [&](const NewInstance& row) {
                              create.bind(1, row.row).bind(2, row.id.value()).bind(3, row.spec.name.value());
                              create.bind(4, machine::encode_spec(row.spec)).bind(5, row.spec.image_digest).bind(6, row.at);
                              return create.run();
                            },
                            [&](const LastRun& row) { return start.bind(1, std::uint64_t{row.run.value()}).bind(2, row.row).run(); },
                            [&](const RemovedAt& row) { return remove.bind(1, row.at).bind(2, row.row).run(); },
                        },
                        projection));
  return {};
}

Result<void> BatchState::write_events() {
  TRY(insert, store_.database.prepare("INSERT INTO events(seq, instance, run, type, at_unix_us, mono_us, body) VALUES(?, ?, ?, ?, ?, ?, ?)"));
  for (std::size_t i = 0; i < encoded_.size(); ++i) {
    const auto& event = *encoded_[i];
    insert.bind(1, event.seq).bind(2, rows_[i]).bind(3, std::uint64_t{event.run.value()}).bind(4, event.type);
    TRY_VOID(insert.bind(5, event.at_unix_us).bind(6, event.mono_us).bind(7, event.body).run());
  }
  if (superseded_.empty()) return {};
  TRY(erase, store_.database.prepare("DELETE FROM events WHERE seq = ?"));
  for (const auto seq : superseded_) TRY_VOID(erase.bind(1, seq).run());
  return {};
}

Result<void> BatchState::write_streams() {
  TRY(write, store_.database.prepare("INSERT INTO streams(row, instance, run, epoch, boot, last, gaps) VALUES(?, ?, ?, ?, ?, ?, ?) "
                                     "ON CONFLICT(row) DO UPDATE SET last = excluded.last, gaps = excluded.gaps"));
  for (const auto& [key, stream] : streams_) {
    write.bind(1, stream.row).bind(2, key.instance).bind(3, std::uint64_t{key.run.value()}).bind(4, std::uint64_t{key.epoch});
    TRY_VOID(write.bind(5, key.boot8).bind(6, stream.last).bind(7, stream.gaps.to_text()).run());
  }
  return {};
}

Result<void> BatchState::write_partials() {
  TRY(insert, store_.database.prepare("INSERT INTO partials(stream, seq, event) VALUES(?, ?, ?)"));
  TRY(erase, store_.database.prepare("DELETE FROM partials WHERE stream = ? AND seq = ?"));
  for (const auto& change : partials_) {
    const auto stream = streams_.at(change.stream).row;
    if (change.event == 0) TRY_VOID(erase.bind(1, stream).bind(2, change.seq).run());
    else TRY_VOID(insert.bind(1, stream).bind(2, change.seq).bind(3, change.event).run());
  }
  TRY(remember, store_.database.prepare("INSERT OR IGNORE INTO origins(instance, boot, seq) VALUES(?, ?, ?)"));
  for (const auto& origin : origins_) TRY_VOID(remember.bind(1, origin.instance).bind(2, origin.boot8).bind(3, origin.seq).run());
  return {};
}

/// The file has it: now the memory may. What is written is emptied, so that the batch cannot be written twice.
void BatchState::keep() {
  store_.next_event += encoded_.size();
  for (auto& [key, stream] : streams_) {
    stream.is_stored = true;
    store_.streams.insert_or_assign(key, std::move(stream));
  }
  for (const auto& [id, known] : instances_) {
    if (known.removed) store_.names.erase(known.name);
    store_.instances.insert_or_assign(id, known);
  }
  for (const auto& [id, known] : instances_)
    if (!known.removed) store_.names.insert_or_assign(known.name, id);
  for (const auto& projection : projections_) {
    if (const auto* start = std::get_if<LastRun>(&projection)) store_.forget_streams(start->row);
    if (const auto* removed = std::get_if<RemovedAt>(&projection)) store_.forget_streams(removed->row);
  }
  for (auto& [row, latest] : health_) store_.health.insert_or_assign(row, std::move(latest));
  for (const auto& projection : projections_)
    if (const auto* removed = std::get_if<RemovedAt>(&projection)) store_.health.erase(removed->row);
  health_.clear();
  superseded_.clear();
  streams_.clear();
  instances_.clear();
  projections_.clear();
  partials_.clear();
  origins_.clear();
  rows_.clear();
  failed_ = Error(Errc::conflict, "this batch was committed already");
}

}  // namespace vigil::store
