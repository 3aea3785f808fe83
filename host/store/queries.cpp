// What is read from the file: instances and events.
#include "host/store/event_sum.hpp"
#include "host/store/store.hpp"
#include "host/store/store_state.hpp"

namespace vigil::store {

using machine::EncodedEvent;

namespace {

constexpr std::size_t min_prefix = 4;
constexpr char instance_columns[] = "SELECT id, name, spec, created_unix_us, removed_unix_us, last_run FROM instances ";

Result<InstanceRow> read_instance(const Statement& row) {
  InstanceRow instance;
  instance.id = InstanceId(row.text(0));
  instance.name = InstanceName(row.text(1));
  auto spec = machine::parse_spec(row.text(2));
  if (!spec) return spec.error().with_context("the stored spec of " + instance.id.value());
  instance.spec = std::move(*spec);
  instance.created_unix_us = row.integer(3);
  if (!row.is_null(4)) instance.removed_unix_us = row.integer(4);
  instance.last_run = RunNumber(static_cast<std::uint32_t>(row.integer(5)));
  return instance;
}

Result<std::vector<InstanceRow>> read_instances(const Database& database, const std::string& rest, std::string_view text = {}) {
  TRY(rows, database.prepare((instance_columns + rest).c_str()));
  if (!text.empty()) rows.bind(1, text);
  std::vector<InstanceRow> instances;
  while (true) {
    TRY(has_row, rows.step());
    if (!has_row) return instances;
    TRY(instance, read_instance(rows));
    instances.push_back(std::move(instance));
  }
}

/// Text that means itself in a LIKE with ESCAPE '\'.
std::string prefix_pattern(std::string_view text) {
  std::string pattern;
  for (const char each : text) {
    if (each == '%' || each == '_' || each == '\\') pattern += '\\';
    pattern += each;
  }
  return pattern + "%";
}

Result<EncodedEvent> read_event(const Statement& row) {
  EncodedEvent event{.seq = row.integer(0),
                     .instance = InstanceId(row.text(1)),
                     .run = RunNumber(static_cast<std::uint32_t>(row.integer(2))),
                     .type = row.text(3),
                     .at_unix_us = row.integer(4),
                     .mono_us = row.integer(5),
                     .body = row.text(6)};
  TRY_VOID(check_sum(event, row.is_null(7) ? std::nullopt : std::optional(row.integer(7))));
  return event;
}

constexpr char event_columns[] = "SELECT e.seq, coalesce(l.id, ''), e.run, e.type, e.at_unix_us, e.mono_us, e.body, e.sum FROM ";
constexpr char of_the_log[] = "events e LEFT JOIN log_instances l ON l.row = e.instance ";
constexpr char of_an_instance[] = "event_places p CROSS JOIN events e ON e.seq = p.seq LEFT JOIN log_instances l ON l.row = e.instance ";
constexpr char of_the_run[] = "AND (e.run = ? OR e.run = 0) ";

/// Adds what `rows` gives.
Result<void> read_events(Statement& rows, std::vector<EncodedEvent>& events) {
  while (true) {
    TRY(has_row, rows.step());
    if (!has_row) return {};
    TRY(event, read_event(rows));
    events.push_back(std::move(event));
  }
}

/// Those that the table of places has.
Result<void> read_placed(const Database& database, const EventQuery& query, std::uint64_t row, std::vector<EncodedEvent>& events) {
  const auto sql = std::string(event_columns) + of_an_instance + "WHERE p.seq > ? AND p.instance = ? " + (query.run ? of_the_run : "") +
                   "ORDER BY p.seq LIMIT " + std::to_string(query.limit);
  TRY(rows, database.prepare(sql.c_str()));
  rows.bind(1, query.after).bind(2, row);
  if (query.run) rows.bind(3, std::uint64_t{query.run->value()});
  return read_events(rows, events);
}

/// Those that came since.
Result<void> read_recent(const Database& database, const EventPlaces& places, const EventQuery& query, std::uint64_t row, std::vector<EncodedEvent>& events) {
  if (events.size() >= query.limit) return {};
  const auto sql = std::string(event_columns) + of_the_log + "WHERE e.seq = ? " + (query.run ? of_the_run : "");
  TRY(rows, database.prepare(sql.c_str()));
  for (const auto seq : places.recent(row, query.after)) {
    if (events.size() >= query.limit) return {};
    rows.bind(1, seq);
    if (query.run) rows.bind(2, std::uint64_t{query.run->value()});
    TRY_VOID(read_events(rows, events));
  }
  return {};
}

}  // namespace

Result<InstanceRow> Store::find_instance(std::string_view id_or_name) const {
  // Each row is asked for only when those before it gave nothing. The second column says that several fitting ones are an error, not a choice.
  const std::pair<const char*, bool> ways[] = {
      {"WHERE removed_unix_us IS NULL AND id = ?", false},
      {"WHERE removed_unix_us IS NULL AND name = ?", false},
      {"WHERE removed_unix_us IS NULL AND id LIKE ? ESCAPE '\\' LIMIT 2", true},
      {"WHERE removed_unix_us IS NOT NULL AND id = ?", false},
      {"WHERE removed_unix_us IS NOT NULL AND name = ? ORDER BY removed_unix_us DESC, row DESC LIMIT 1", false},
      {"WHERE removed_unix_us IS NOT NULL AND id LIKE ? ESCAPE '\\' LIMIT 2", true},
  };
  const std::string text(id_or_name);
  if (!text.empty())
    for (const auto& [rest, by_prefix] : ways) {
      if (by_prefix && text.size() < min_prefix) continue;
      TRY(found, read_instances(state_->database, rest, by_prefix ? prefix_pattern(text) : text));
      if (found.size() > 1) return Error(Errc::conflict, "\"" + text + "\" fits " + found[0].id.value() + " and " + found[1].id.value());
      if (found.size() == 1) return found.front();
    }
  return Error(Errc::not_found, "there is no instance \"" + text + "\"");
}

Result<std::vector<InstanceRow>> Store::instances() const {
  return read_instances(state_->database, "WHERE removed_unix_us IS NULL ORDER BY row");
}

Result<std::vector<InstanceRow>> Store::removed_instances(std::size_t limit) const {
  return read_instances(state_->database,
                        "WHERE removed_unix_us IS NOT NULL ORDER BY removed_unix_us DESC, row DESC LIMIT " + std::to_string(limit));
}

Result<std::vector<EncodedEvent>> Store::events(const EventQuery& query) const {
  std::vector<EncodedEvent> events;
  if (query.instance) {
    TRY(known, state_->instance(*query.instance));
    if (!known) return events;
    TRY_VOID(read_placed(state_->database, query, known->row, events));
    TRY_VOID(read_recent(state_->database, state_->places, query, known->row, events));
    return events;
  }
  const auto sql = std::string(event_columns) + of_the_log + "WHERE e.seq > ? ORDER BY e.seq LIMIT " + std::to_string(query.limit);
  TRY(rows, state_->database.prepare(sql.c_str()));
  rows.bind(1, query.after);
  TRY_VOID(read_events(rows, events));
  return events;
}

Result<Store::History> Store::history(const InstanceId& instance, machine::EventSeq after) const {
  History history;
  EventQuery query{.after = after, .instance = instance, .run = {}, .limit = 1000};
  while (true) {
    TRY(page, events(query));
    for (const auto& encoded : page) {
      auto event = machine::decode_event(encoded);
      if (event) history.events.push_back(std::move(*event));
      else ++history.skipped;
    }
    if (page.size() < query.limit) return history;
    query.after = page.back().seq;
  }
}

}  // namespace vigil::store
