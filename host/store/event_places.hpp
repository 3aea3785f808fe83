// Where an instance's events stand in the log: their numbers, in order. Private to this folder.
//
// Shape:  a table that gets a few thousand rows at a time, and in memory those since. Were each event's row written with its commit, a commit would touch a page for every
//         instance in it, and every page goes to the disk: with two hundred guests that was nine tenths of what a commit wrote.
//         add(), erase() and write() belong to a batch; what they did counts from keep() on, and is forgotten by the next begin_batch() when there was none.
// Errors: those of the database.
#pragma once

#include "host/machine/vm_event.hpp"
#include "host/store/database.hpp"

#include <compare>
#include <cstdint>
#include <deque>
#include <vector>

namespace vigil::store {

class EventPlaces {
public:
  struct Place {
    std::uint64_t instance = 0;   // its row; 0: none, or the event is gone
    machine::EventSeq seq = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };

  Result<void> load(Database& database);
  /// All that are in memory go into the table, in a transaction of their own. A store that was just opened is asked for one instance after the other.
  Result<void> settle(Database& database);

  void begin_batch();
  void add(Place place) { added_.push_back(place); }
  void erase(Place place) { erased_.push_back(place); }
  /// Within the batch's transaction.
  Result<void> write(Database& database);
  /// It is committed.
  void keep();

  /// The events of `instance` after `after` that the table does not have yet.
  std::vector<machine::EventSeq> recent(std::uint64_t instance, machine::EventSeq after) const;

private:
  Result<void> move_oldest(Database& database, std::size_t count);
  void forget(const Place& place);

  machine::EventSeq through_ = 0, written_through_ = 0;   // the table has all up to this one; will have, once the batch is committed
  std::deque<Place> recent_;                              // after `through_`, in order
  std::vector<Place> added_, erased_;                     // of the batch
};

/// Writes the table anew from the log, all of it.
Result<void> rebuild_places(Database& database);

}  // namespace vigil::store
