// Which events an instance has: the table, what is in memory since, and both together are what the log says.
#include "host/store/event_places.hpp"
#include "host/store/rebuild.hpp"
#include "host/store/schema.hpp"
#include "host/store/store.hpp"
#include "tests/unit/host/machine/story.hpp"
#include "tests/unit/host/store/scratch.hpp"
#include "tests/unit/host/store/tables.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <map>
#include <random>
#include <set>

namespace vigil::machine {
using namespace vigil::machine::test;

using store::Admission;
using store::Database;
using store::EventPlaces;
using store::Store;
using vigil::test::Sql;

namespace {

/// Batches of places of few instances: some give way, some batches fail; the model knows what stays.
class Herd {
public:
  Herd(std::uint32_t seed, Database& database) : random_(seed), database_(database) {}

  void batches(EventPlaces& places, std::size_t count) {
    for (; count > 0; --count) batch(places);
  }
  const std::map<std::uint64_t, std::set<EventSeq>>& model() const { return model_; }

private:
  std::uint32_t pick(std::uint32_t n) { return static_cast<std::uint32_t>(random_()) % n; }

  void batch(EventPlaces& places) {
    auto after = model_;
    auto next = next_;
    places.begin_batch();
    for (auto count = 1 + pick(2000); count > 0; --count) {
      const std::uint64_t row = pick(7);   // 0: an event of no instance
      places.add({row, next});
      if (row != 0) after[row].insert(next);
      if (row != 0 && pick(5) == 0) give_way(places, after[row], row, next);
      ++next;
    }
    REQUIRE(database_.run("BEGIN IMMEDIATE").has_value());
    REQUIRE(places.write(database_).has_value());
    const bool fails = pick(4) == 0;
    REQUIRE(database_.run(fails ? "ROLLBACK" : "COMMIT").has_value());
    if (fails) return;
    places.keep();
    model_ = std::move(after);
    next_ = next;
  }

  /// The newest before it, as health does; now and then an old one.
  void give_way(EventPlaces& places, std::set<EventSeq>& of_instance, std::uint64_t row, EventSeq newest) {
    auto gone = of_instance.find(newest);
    if (gone == of_instance.begin()) return;
    --gone;
    if (pick(50) == 0) gone = of_instance.begin();
    places.erase({row, *gone});
    of_instance.erase(gone);
  }

  std::mt19937 random_;
  Database& database_;
  EventSeq next_ = 1;
  std::map<std::uint64_t, std::set<EventSeq>> model_;
};

std::set<EventSeq> known(const EventPlaces& places, const std::string& path, std::uint64_t row) {
  std::set<EventSeq> all;
  for (const auto& seq : Sql(path).rows("SELECT seq FROM event_places WHERE instance = " + std::to_string(row))) REQUIRE(all.insert(std::stoull(seq)).second);
  for (const auto seq : places.recent(row, 0)) REQUIRE(all.insert(seq).second);
  return all;
}

std::unique_ptr<Store> store_in(const std::string& path) {
  auto opened = Store::open(path);
  if (!opened) FAIL(opened.error().message());
  return std::move(*opened);
}

void store_one(Store& store, VmEvent event) {
  auto batch = store.begin();
  REQUIRE(batch.add(event).kind == Admission::Kind::accepted);
  REQUIRE(batch.commit().has_value());
}

std::vector<EventSeq> seqs(const std::vector<EncodedEvent>& events) {
  std::vector<EventSeq> found;
  for (const auto& event : events) found.push_back(event.seq);
  return found;
}

}  // namespace

TEST_CASE("places: table and memory together are what was committed, and nothing else", "[host][store][property]") {
  const auto seed = GENERATE(range(1U, 4U));
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  auto database = store::open_schema(path);
  REQUIRE(database.has_value());
  EventPlaces places;
  REQUIRE(places.load(*database).has_value());
  Herd herd(seed, *database);
  for (int round = 0; round < 4; ++round) {
    herd.batches(places, 20);
    for (const auto& [row, expected] : herd.model()) {
      CHECK(known(places, path, row) == expected);
      const auto middle = *std::next(expected.begin(), static_cast<std::ptrdiff_t>(expected.size() / 2));
      for (const auto seq : places.recent(row, middle)) CHECK(seq > middle);
    }
  }
  CHECK(Sql(path).rows("SELECT count(*) > 10000 FROM event_places") == std::vector<std::string>{"1"});   // the table was written to on the way
  REQUIRE(places.settle(*database).has_value());
  for (const auto& [row, expected] : herd.model()) {
    CHECK(places.recent(row, 0).empty());
    CHECK(known(places, path, row) == expected);
  }
}

TEST_CASE("places: an instance's events are found over a restart, from any of them on, of any run, and no more than asked for", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  const InstanceId other("vm-zzzzzzzzzz");
  std::vector<EventSeq> mine;
  EventSeq next = 1;
  const auto note = [&](Store& store, const InstanceId& id, EventBody body, RunNumber run) {
    auto event = make_event(0, 1, std::move(body));
    event.instance = id;
    event.run = run;
    store_one(store, event);
    if (id == vm_id) mine.push_back(next);
    ++next;
  };
  for (int life = 0; life < 2; ++life) {   // the second finds in the table what the first had in memory
    const auto store = store_in(path);
    if (life == 0) {
      note(*store, vm_id, Created{make_spec("one")}, RunNumber(0));
      note(*store, other, Created{make_spec("two")}, RunNumber(0));
    }
    for (Seq seq = 1; seq <= 20; ++seq)
      for (const auto& id : {vm_id, other})
        note(*store, id, make_report(seq + static_cast<Seq>(life) * 20, make_service("web", ServiceState::ready)), RunNumber(static_cast<std::uint32_t>(1 + life)));
    for (const std::size_t from : {std::size_t{0}, std::size_t{1}, mine.size() / 2, mine.size() - 1, mine.size()}) {
      const EventSeq after = from == 0 ? 0 : mine[from - 1];
      const std::vector<EventSeq> expected(mine.begin() + static_cast<std::ptrdiff_t>(from), mine.end());
      CHECK(seqs(*store->events({.after = after, .instance = vm_id, .run = {}, .limit = 1000})) == expected);
      const std::vector<EventSeq> some(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(expected.size(), 22)));
      CHECK(seqs(*store->events({.after = after, .instance = vm_id, .run = {}, .limit = 22})) == some);
    }
  }
  const auto store = store_in(path);
  CHECK(seqs(*store->events({.after = 0, .instance = vm_id, .run = RunNumber(1), .limit = 1000})) == std::vector<EventSeq>(mine.begin(), mine.begin() + 21));
  CHECK(store->events({.after = 0, .instance = vm_id, .run = RunNumber(2), .limit = 1000})->size() == 21);
}

TEST_CASE("places: a row too few and one too many are named, and mended from the log", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  {
    const auto store = store_in(path);
    auto created = make_event(0, 1, Created{make_spec("one")});
    store_one(*store, created);
    for (Seq seq = 1; seq <= 5; ++seq) store_one(*store, make_event(0, 1, make_report(seq, make_service("web", ServiceState::ready))));
  }
  store_in(path);   // which settles them
  CHECK(store::compare_projections(path, store::Repair::none)->differences.empty());
  Sql(path).run("DELETE FROM event_places WHERE seq = 3; INSERT INTO event_places(instance, seq) VALUES(1, 2000)");
  SECTION("the mark too far") { Sql(path).run("UPDATE event_places_mark SET through = 3000"); }
  SECTION("and two marks") { Sql(path).run("UPDATE event_places_mark SET through = 3000; INSERT INTO event_places_mark VALUES(3000)"); }
  const auto report = store::compare_projections(path, store::Repair::replace_tables);
  REQUIRE(report->differences.size() == 2);
  CHECK(report->differences[0].table == "event_places");
  CHECK(report->differences[0].row == "1|3");
  CHECK(report->differences[0].kind == store::RowDifference::Kind::missing);
  CHECK(report->differences[1].row == "1|2000");
  CHECK(report->differences[1].kind == store::RowDifference::Kind::surplus);
  CHECK(store::compare_projections(path, store::Repair::none)->differences.empty());
  CHECK(Sql(path).rows("SELECT through FROM event_places_mark") == std::vector<std::string>{"6"});
  CHECK(store_in(path)->history(vm_id)->events.size() == 6);
}

TEST_CASE("snapshots: one that goes with the next batch is there after it, also when the first try was refused", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = store_in(scratch / "vigil.db");
  store_one(*store, make_event(0, 1, Created{make_spec("one")}));
  REQUIRE(store->has_room_for_snapshot());
  REQUIRE(store->add_snapshot(vm_id, {1, "{\"a\":1}"}).has_value());
  CHECK_FALSE(store->add_snapshot(InstanceId("vm-9999999999"), {1, "{}"}).has_value());
  CHECK_FALSE(store->snapshot(vm_id)->has_value());
  store_one(*store, make_event(0, 1, make_report(1, make_service("web", ServiceState::ready))));
  REQUIRE(store->snapshot(vm_id)->has_value());
  CHECK((*store->snapshot(vm_id))->body == "{\"a\":1}");
  REQUIRE(store->add_snapshot(vm_id, {1, "{\"old\":1}"}).has_value());
  REQUIRE(store->keep_snapshot(vm_id, {2, "{\"new\":1}"}).has_value());   // takes the place of the one to come
  store_one(*store, make_event(0, 1, make_report(2, make_service("web", ServiceState::failed))));
  CHECK((*store->snapshot(vm_id))->body == "{\"new\":1}");
}

}  // namespace vigil::machine
