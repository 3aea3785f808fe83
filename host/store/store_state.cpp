#include "host/store/store_state.hpp"

namespace vigil::store {

namespace {

Result<void> load_instances(StoreState& state) {
  TRY(rows, state.database.prepare("SELECT row, id, name FROM instances WHERE removed_unix_us IS NULL"));
  while (true) {
    TRY(has_row, rows.step());
    if (!has_row) return {};
    const InstanceId id(rows.text(1));
    const InstanceName name(rows.text(2));
    state.instances.emplace(id, KnownInstance{rows.integer(0), name, false});
    state.names.emplace(name, id);
  }
}

Result<std::map<Seq, std::uint64_t>> load_partials(Database& database, const StreamKey& key) {
  TRY(rows, database.prepare("SELECT seq, event FROM partials WHERE instance = ? AND boot = ? AND run = ? AND epoch = ?"));
  rows.bind(1, key.instance).bind(2, key.boot8).bind(3, std::uint64_t{key.run.value()}).bind(4, std::uint64_t{key.epoch});
  std::map<Seq, std::uint64_t> partials;
  while (true) {
    TRY(has_row, rows.step());
    if (!has_row) return partials;
    partials.emplace(rows.integer(0), rows.integer(1));
  }
}

}  // namespace

Result<std::unique_ptr<StoreState>> StoreState::load(Database database) {
  auto state = std::make_unique<StoreState>();
  state->database = std::move(database);
  TRY(last_event, state->database.integer("SELECT max(seq) FROM events"));
  TRY(last_instance, state->database.integer("SELECT max(row) FROM log_instances"));
  state->next_event = last_event + 1;
  state->next_instance_row = last_instance + 1;
  TRY_VOID(load_instances(*state));
  TRY_VOID(state->places.load(state->database));
  return state;
}

Result<std::optional<KnownInstance>> StoreState::instance(const InstanceId& id) {
  const auto found = instances.find(id);
  if (found != instances.end()) return std::optional(found->second);
  TRY(row, database.prepare("SELECT row, name FROM instances WHERE id = ?"));
  row.bind(1, id.value());
  TRY(has_row, row.step());
  if (!has_row) return std::optional<KnownInstance>();
  const KnownInstance known{row.integer(0), InstanceName(row.text(1)), true};   // existing ones are all known
  instances.emplace(id, known);
  return std::optional(known);
}

Result<Stream> StoreState::stream(const StreamKey& key) {
  const auto found = streams.find(key);
  if (found != streams.end()) return found->second;
  TRY(row, database.prepare("SELECT last, gaps FROM streams WHERE instance = ? AND boot = ? AND run = ? AND epoch = ?"));
  row.bind(1, key.instance).bind(2, key.boot8).bind(3, std::uint64_t{key.run.value()}).bind(4, std::uint64_t{key.epoch});
  Stream stream;
  TRY(has_row, row.step());
  if (!has_row) return stream;
  TRY(gaps, Gaps::parse(row.text(1)));
  stream.last = row.integer(0);
  stream.gaps = std::move(gaps);
  TRY(partials, load_partials(database, key));
  stream.partials = std::move(partials);
  streams.emplace(key, stream);
  return stream;
}

Result<std::vector<StreamKey>> StoreState::streams_of_boot(std::uint64_t instance, const std::string& boot8) {
  TRY(rows, database.prepare("SELECT run, epoch FROM streams WHERE instance = ? AND boot = ?"));
  rows.bind(1, instance).bind(2, boot8);
  std::vector<StreamKey> keys;
  while (true) {
    TRY(has_row, rows.step());
    if (!has_row) return keys;
    keys.push_back({instance, boot8, RunNumber(static_cast<std::uint32_t>(rows.integer(0))), static_cast<Epoch>(rows.integer(1))});
  }
}

Result<bool> StoreState::is_origin_known(std::uint64_t instance, const std::string& boot8, Seq seq) {
  TRY(row, database.prepare("SELECT 1 FROM origins WHERE instance = ? AND boot = ? AND seq = ?"));
  row.bind(1, instance).bind(2, boot8).bind(3, seq);
  return row.step();
}

void StoreState::forget_streams(std::uint64_t instance) {
  std::erase_if(streams, [&](const auto& entry) { return entry.first.instance == instance; });
}

}  // namespace vigil::store
