// The one place that writes event_places and event_places_mark (tests/lint/projections.py).
#include "host/store/event_places.hpp"

#include <algorithm>
#include <ranges>

namespace vigil::store {

namespace {

// Health gives way to the next report after five seconds, and so before it is written into the table, also when thousands of guests report.
constexpr std::size_t kept_in_memory = 32'768;
constexpr std::size_t moved_at_once = 4'096;   // a few milliseconds for whoever waits for this commit

}  // namespace

Result<void> EventPlaces::load(Database& database) {
  TRY(through, database.integer("SELECT through FROM event_places_mark"));
  through_ = written_through_ = through;
  TRY(rows, database.prepare("SELECT instance, seq FROM events WHERE seq > ? ORDER BY seq"));
  rows.bind(1, through_);
  while (true) {
    TRY(has_row, rows.step());
    if (!has_row) return {};
    recent_.push_back({rows.integer(0), rows.integer(1)});
  }
}

Result<void> EventPlaces::settle(Database& database) {
  if (recent_.empty()) return {};
  begin_batch();
  TRY_VOID(database.run("BEGIN IMMEDIATE"));
  auto moved = move_oldest(database, recent_.size());
  if (moved) moved = database.run("COMMIT");
  if (!moved) {
    database.roll_back();
    return moved;
  }
  keep();
  return {};
}

void EventPlaces::begin_batch() {
  added_.clear();
  erased_.clear();
  written_through_ = through_;
}

Result<void> EventPlaces::write(Database& database) {
  std::ranges::sort(erased_);
  TRY(erase, database.prepare("DELETE FROM event_places WHERE instance = ? AND seq = ?"));
  for (const auto& place : erased_)
    if (place.seq <= through_) TRY_VOID(erase.bind(1, place.instance).bind(2, place.seq).run());
  if (recent_.size() < kept_in_memory + moved_at_once) return {};
  return move_oldest(database, moved_at_once);
}

/// By instance, so that each page of the table is written once.
Result<void> EventPlaces::move_oldest(Database& database, std::size_t count) {
  const auto end = recent_.begin() + static_cast<std::ptrdiff_t>(count);
  const auto last = std::prev(end)->seq;
  std::vector<Place> moved(recent_.begin(), end);
  std::erase_if(moved, [this](const Place& place) { return place.instance == 0 || std::ranges::binary_search(erased_, place); });
  std::ranges::sort(moved);
  TRY(insert, database.prepare("INSERT INTO event_places(instance, seq) VALUES(?, ?)"));
  for (const auto& place : moved) TRY_VOID(insert.bind(1, place.instance).bind(2, place.seq).run());
  TRY(mark, database.prepare("UPDATE event_places_mark SET through = ?"));
  TRY_VOID(mark.bind(1, last).run());
  written_through_ = last;
  return {};
}

void EventPlaces::keep() {
  std::ranges::copy(added_, std::back_inserter(recent_));
  for (const auto& place : erased_) forget(place);
  through_ = written_through_;
  while (!recent_.empty() && recent_.front().seq <= through_) recent_.pop_front();
  added_.clear();
  erased_.clear();
}

void EventPlaces::forget(const Place& place) {
  const auto found = std::ranges::lower_bound(recent_, place.seq, {}, &Place::seq);
  if (found != recent_.end() && found->seq == place.seq) found->instance = 0;
}

Result<void> rebuild_places(Database& database) {
  return database.run("DELETE FROM main.event_places; INSERT INTO main.event_places(instance, seq) SELECT instance, seq FROM main.events WHERE instance != 0 "
                      "ORDER BY instance, seq; DELETE FROM main.event_places_mark; INSERT INTO main.event_places_mark(through) SELECT coalesce(max(seq), 0) FROM main.events");
}

std::vector<machine::EventSeq> EventPlaces::recent(std::uint64_t instance, machine::EventSeq after) const {
  std::vector<machine::EventSeq> seqs;
  for (auto place = std::ranges::upper_bound(recent_, after, {}, &Place::seq); place != recent_.end(); ++place)
    if (place->instance == instance) seqs.push_back(place->seq);
  return seqs;
}

}  // namespace vigil::store
