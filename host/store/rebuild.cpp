#include "host/store/rebuild.hpp"

#include "host/store/event_sum.hpp"
#include "host/store/projection.hpp"
#include "host/store/projector.hpp"
#include "host/store/schema.hpp"
#include "host/store/snapshots.hpp"

namespace vigil::store {

namespace {

constexpr std::uint64_t events_of_page = 1000;
constexpr std::size_t max_told = 1000;

/// Empty temporary tables of the projected ones' names and form: SQLite finds them first wherever a statement names no schema.
Result<void> make_shadows(Database& database) {
  for (const auto* const table : projected_tables) {
    TRY(sql, database.text(("SELECT sql FROM main.sqlite_master WHERE type = 'table' AND name = '" + std::string(table) + "'").c_str()));
    constexpr std::string_view begin = "CREATE TABLE ";
    if (!sql.starts_with(begin)) return Error(Errc::io, "the table " + std::string(table) + " is not there");
    TRY_VOID(database.run(("CREATE TEMP TABLE " + sql.substr(begin.size())).c_str()));
  }
  return restore_checkpoints(database);
}

struct LogEntry {
  machine::EncodedEvent event;
  std::uint64_t row = 0;
  Gaps stands_for;
};

Result<LogEntry> read_entry(const Statement& row) {
  LogEntry entry;
  entry.event = {.seq = row.integer(0),
                 .instance = InstanceId(row.text(1)),
                 .run = RunNumber(static_cast<std::uint32_t>(row.integer(3))),
                 .type = row.text(4),
                 .at_unix_us = row.integer(5),
                 .mono_us = row.integer(6),
                 .body = row.text(7)};
  entry.row = row.integer(2);
  TRY_VOID(check_sum(entry.event, row.is_null(9) ? std::nullopt : std::optional(row.integer(9))));
  TRY(stands_for, Gaps::parse(row.text(8)));
  entry.stands_for = std::move(stands_for);
  return entry;
}

/// Events that no checkpoint has in it already, and of an instance.
constexpr char log_page[] =
    "SELECT e.seq, l.id, e.instance, e.run, e.type, e.at_unix_us, e.mono_us, e.body, coalesce(e.stands_for, ''), e.sum FROM main.events e "
    "JOIN main.log_instances l ON l.row = e.instance LEFT JOIN main.checkpoints c ON c.instance = e.instance "
    "WHERE e.seq > ? AND e.seq > coalesce(c.seq, 0) ORDER BY e.seq LIMIT ?";

Result<std::vector<LogEntry>> read_page(Database& database, std::uint64_t after) {
  TRY(rows, database.prepare(log_page));
  rows.bind(1, after).bind(2, events_of_page);
  std::vector<LogEntry> page;
  while (true) {
    TRY(has_row, rows.step());
    if (!has_row) return page;
    TRY(entry, read_entry(rows));
    page.push_back(std::move(entry));
  }
}

Result<void> fold_page(StoreState& state, const std::vector<LogEntry>& page) {
  Projection projection(state);
  for (const auto& entry : page) {
    TRY(event, machine::decode_event(entry.event));
    TRY_VOID(projection.apply(event, entry.row, entry.stands_for));
  }
  TRY_VOID(projection.write());
  projection.keep();
  return {};
}

Result<std::uint64_t> fold_log(StoreState& state) {
  std::uint64_t after = 0, folded = 0;
  while (true) {
    TRY(page, read_page(state.database, after));
    if (page.empty()) return folded;
    TRY_VOID(fold_page(state, page));
    folded += page.size();
    after = page.back().event.seq;
  }
}

/// SQL for all values of a row in one text: "1|'vm-...'|NULL".
Result<std::string> quoted_columns(Database& database, const std::string& table) {
  return database.text(("SELECT group_concat('quote(' || name || ')', ' || ''|'' || ') FROM pragma_table_info('" + table + "', 'main')").c_str());
}

/// `sql` gives them, a text each.
Result<void> note_differences(Database& database, const std::string& table, RowDifference::Kind kind, const std::string& sql, ProjectionReport& report) {
  TRY(rows, database.prepare(sql.c_str()));
  while (true) {
    TRY(has_row, rows.step());
    if (!has_row) return {};
    if (report.differences.size() < max_told) report.differences.push_back({kind, table, rows.text(0)});
    else ++report.more;
  }
}

Result<void> find_differences(Database& database, const std::string& table, RowDifference::Kind kind, ProjectionReport& report) {
  const bool is_missing = kind == RowDifference::Kind::missing;
  const std::string has = is_missing ? "temp." : "main.", has_not = is_missing ? "main." : "temp.";
  TRY(columns, quoted_columns(database, table));
  return note_differences(database, table, kind, "SELECT " + columns + " FROM " + has + table + " EXCEPT SELECT " + columns + " FROM " + has_not + table, report);
}

/// Of the table that says where an instance's events are; it ends at its mark.
Result<void> find_misplaced(Database& database, ProjectionReport& report) {
  const std::string said = "SELECT instance || '|' || seq FROM main.event_places";
  const std::string is_so = "SELECT instance || '|' || seq FROM main.events WHERE instance != 0 AND seq <= (SELECT through FROM main.event_places_mark)";
  TRY_VOID(note_differences(database, "event_places", RowDifference::Kind::missing, is_so + " EXCEPT " + said, report));
  return note_differences(database, "event_places", RowDifference::Kind::surplus, said + " EXCEPT " + is_so, report);
}

Result<ProjectionReport> compare(StoreState& state, Repair repair) {
  ProjectionReport report;
  TRY(events, fold_log(state));
  report.events = events;
  TRY(instances, state.database.integer("SELECT count(*) FROM main.log_instances"));
  TRY(checkpoints, state.database.integer("SELECT count(*) FROM main.checkpoints"));
  report.instances = instances;
  report.checkpoints = checkpoints;
  for (const auto* const table : projected_tables)
    for (const auto kind : {RowDifference::Kind::missing, RowDifference::Kind::surplus}) TRY_VOID(find_differences(state.database, table, kind, report));
  TRY_VOID(find_misplaced(state.database, report));
  if (repair == Repair::replace_tables) TRY_VOID(forget_snapshots(state.database));
  if (repair == Repair::replace_tables && !report.differences.empty()) TRY_VOID(replace_by_shadows(state.database));
  if (repair == Repair::replace_tables && !report.differences.empty()) TRY_VOID(rebuild_places(state.database));
  return report;
}

}  // namespace

Result<ProjectionReport> compare_projections(const std::string& path, Repair repair) {
  auto opened = open_schema(path, Age::current_only);
  if (!opened) return opened.error().with_context("open the store");
  TRY_VOID(opened->run("PRAGMA temp_store=MEMORY"));
  TRY_VOID(opened->run(repair == Repair::none ? "BEGIN" : "BEGIN IMMEDIATE"));
  TRY_VOID(make_shadows(*opened));
  TRY(state, StoreState::load(std::move(*opened)));
  auto report = compare(*state, repair);
  if (!report) return report.error().with_context("fold the log of " + path);
  TRY_VOID(state->database.run("COMMIT"));
  return report;
}

}  // namespace vigil::store
