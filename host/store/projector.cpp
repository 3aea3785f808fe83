// The one place that writes the projected tables: what a Projection has gathered, what a checkpoint holds, what a rebuild has made (tests/lint/projections.py).
#include "host/store/projector.hpp"

#include "host/store/projection.hpp"
#include "shared/base/overloaded.hpp"

namespace vigil::store {

Result<void> Projection::write() {
  TRY_VOID(write_rows());
  TRY_VOID(write_streams());
  return write_partials();
}

Result<void> Projection::write_rows() {
  TRY(create, store_.database.prepare("INSERT INTO instances(row, id, name, spec, image_digest, created_unix_us) VALUES(?, ?, ?, ?, ?, ?)"));
  TRY(start, store_.database.prepare("UPDATE instances SET last_run = ? WHERE row = ?"));
  TRY(remove, store_.database.prepare("UPDATE instances SET removed_unix_us = ? WHERE row = ? AND removed_unix_us IS NULL"));
  TRY(bind, store_.database.prepare("INSERT OR REPLACE INTO tokens(instance, run, boot, sha256) VALUES(?, ?, ?, ?)"));
  for (const auto& change : rows_)
    TRY_VOID(std::visit(Overloaded{
                            [&](const NewInstance& row) {
                              create.bind(1, row.row).bind(2, row.id.value()).bind(3, row.spec.name.value());
                              create.bind(4, machine::encode_spec(row.spec)).bind(5, row.spec.image_digest).bind(6, row.at);
                              return create.run();
                            },
                            [&](const LastRun& row) { return start.bind(1, std::uint64_t{row.run.value()}).bind(2, row.row).run(); },
                            [&](const RemovedAt& row) { return remove.bind(1, row.at).bind(2, row.row).run(); },
                            [&](const Token& token) {
                              bind.bind(1, token.row).bind(2, std::uint64_t{token.run.value()}).bind(3, token.boot.value()).bind(4, token.sha256);
                              return bind.run();
                            },
                        },
                        change));
  return {};
}

Result<void> Projection::write_streams() {
  TRY(write, store_.database.prepare("INSERT INTO streams(instance, boot, run, epoch, last, gaps) VALUES(?, ?, ?, ?, ?, ?) "
                                     "ON CONFLICT DO UPDATE SET last = excluded.last, gaps = excluded.gaps"));
  for (const auto& key : changed_) {
    const auto& stream = streams_.at(key);
    write.bind(1, key.instance).bind(2, key.boot8).bind(3, std::uint64_t{key.run.value()}).bind(4, std::uint64_t{key.epoch});
    TRY_VOID(write.bind(5, stream.last).bind(6, stream.gaps.to_text()).run());
  }
  return {};
}

Result<void> Projection::write_partials() {
  TRY(insert, store_.database.prepare("INSERT INTO partials(instance, boot, run, epoch, seq, event) VALUES(?, ?, ?, ?, ?, ?)"));
  TRY(erase, store_.database.prepare("DELETE FROM partials WHERE instance = ? AND boot = ? AND run = ? AND epoch = ? AND seq = ?"));
  for (const auto& change : partials_) {
    auto& statement = change.event == 0 ? erase : insert;
    const auto& key = change.stream;
    statement.bind(1, key.instance).bind(2, key.boot8).bind(3, std::uint64_t{key.run.value()}).bind(4, std::uint64_t{key.epoch}).bind(5, change.seq);
    if (change.event != 0) statement.bind(6, change.event);
    TRY_VOID(statement.run());
  }
  TRY(remember, store_.database.prepare("INSERT OR IGNORE INTO origins(instance, boot, seq) VALUES(?, ?, ?)"));
  for (const auto& origin : origins_) TRY_VOID(remember.bind(1, origin.instance).bind(2, origin.boot8).bind(3, origin.seq).run());
  return {};
}

Result<void> restore_checkpoints(Database& database) {
  return database.run(R"sql(
INSERT INTO instances(row, id, name, spec, image_digest, created_unix_us, removed_unix_us, last_run)
  SELECT c.instance, l.id, c.body->>'name', c.body->>'spec', c.body->>'image_digest', c.body->>'created_unix_us', c.body->>'removed_unix_us', c.body->>'last_run'
  FROM checkpoints c JOIN log_instances l ON l.row = c.instance;
INSERT INTO streams(instance, boot, run, epoch, last, gaps)
  SELECT c.instance, j.value->>'boot', j.value->>'run', j.value->>'epoch', j.value->>'last', j.value->>'gaps' FROM checkpoints c, json_each(c.body, '$.streams') j;
INSERT INTO partials(instance, boot, run, epoch, seq, event)
  SELECT c.instance, j.value->>'boot', j.value->>'run', j.value->>'epoch', j.value->>'seq', j.value->>'event' FROM checkpoints c, json_each(c.body, '$.partials') j;
INSERT INTO origins(instance, boot, seq) SELECT c.instance, j.value->>'boot', j.value->>'seq' FROM checkpoints c, json_each(c.body, '$.origins') j;
INSERT INTO tokens(instance, run, boot, sha256)
  SELECT c.instance, j.value->>'run', j.value->>'boot', j.value->>'sha256' FROM checkpoints c, json_each(c.body, '$.tokens') j;
)sql");
}

Result<void> replace_by_shadows(Database& database) {
  for (const auto* const table : projected_tables) {
    const auto name = std::string(table);
    TRY_VOID(database.run(("DELETE FROM main." + name + "; INSERT INTO main." + name + " SELECT * FROM temp." + name).c_str()));
  }
  return {};
}

}  // namespace vigil::store
