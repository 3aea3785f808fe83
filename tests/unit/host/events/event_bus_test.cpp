#include "host/events/event_bus.hpp"

#include "host/store/store.hpp"
#include "tests/unit/host/machine/story.hpp"
#include "tests/unit/host/store/scratch.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <random>

namespace vigil::events {
using namespace vigil::machine::test;

using events::EventBus;
using events::Published;
using events::Take;
using machine::EventSeq;

namespace {

const InstanceId other_id("vm-zzzzzzzzzz");

/// Plays the store: what was committed, and how far it may be read.
struct Log {
  std::vector<Published> events;

  void commit(const InstanceId& id) {
    machine::EncodedEvent event;
    event.seq = events.size() + 1;
    event.instance = id;
    event.type = "state";
    event.body = "{}";
    events.push_back(std::make_shared<const machine::EncodedEvent>(event));
  }
  events::ReplaySource source() {
    return [this](EventSeq after, const std::optional<InstanceId>& instance, std::size_t limit) -> Result<std::vector<Published>> {
      std::vector<Published> page;
      for (const auto& event : events)
        if (event->seq > after && (!instance || event->instance == *instance) && page.size() < limit) page.push_back(event);
      return page;
    };
  }
};

std::vector<EventSeq> drain(events::Subscription& subscription, std::size_t limit = 100) {
  std::vector<EventSeq> seen;
  while (true) {
    const auto take = subscription.next(limit);
    if (take.events.empty()) return seen;
    for (const auto& event : take.events) seen.push_back(event->seq);
  }
}

}  // namespace

TEST_CASE("bus: a subscriber gets the past, then the present, without gap or double", "[host][events]") {
  Log log;
  for (int i = 0; i < 5; ++i) log.commit(vm_id);
  EventBus bus(log.source(), 5);
  int woken = 0;
  const auto subscription = bus.subscribe(2, {}, [&] { ++woken; });
  CHECK(drain(*subscription, 2) == std::vector<EventSeq>{3, 4, 5});
  log.commit(vm_id);
  bus.publish({log.events.back()});
  CHECK(woken == 1);
  CHECK(drain(*subscription) == std::vector<EventSeq>{6});
}

TEST_CASE("bus: what was committed but not yet published when the past was read comes once", "[host][events]") {
  Log log;
  for (int i = 0; i < 3; ++i) log.commit(vm_id);
  EventBus bus(log.source(), 2);                 // the third one is on its way
  const auto subscription = bus.subscribe(0, {}, [] {});
  CHECK(drain(*subscription) == std::vector<EventSeq>{1, 2, 3});
  bus.publish({log.events[2]});
  CHECK(drain(*subscription).empty());
}

TEST_CASE("bus: only new events for a subscriber that asks for no past", "[host][events]") {
  Log log;
  log.commit(vm_id);
  EventBus bus(log.source(), 1);
  int woken = 0;
  const auto subscription = bus.subscribe({}, {}, [&] { ++woken; });
  CHECK(subscription->next(10).cursor == 1);
  log.commit(vm_id);
  bus.publish({log.events.back()});
  CHECK(woken == 1);
  CHECK(drain(*subscription) == std::vector<EventSeq>{2});
}

TEST_CASE("bus: a subscriber of one instance sees no other's, and its cursor moves on", "[host][events]") {
  Log log;
  log.commit(vm_id);
  log.commit(other_id);
  EventBus bus(log.source(), 2);
  int woken = 0;
  const auto subscription = bus.subscribe(0, vm_id, [&] { ++woken; });
  CHECK(drain(*subscription) == std::vector<EventSeq>{1});
  log.commit(other_id);
  bus.publish({log.events.back()});
  CHECK(woken == 0);
  CHECK(drain(*subscription).empty());
}

TEST_CASE("bus: it wakes once until the subscriber has found nothing again", "[host][events]") {
  Log log;
  EventBus bus(log.source(), 0);
  int woken = 0;
  const auto subscription = bus.subscribe(0, {}, [&] { ++woken; });
  drain(*subscription);
  for (int i = 0; i < 3; ++i) {
    log.commit(vm_id);
    bus.publish({log.events.back()});
  }
  CHECK(woken == 1);
  CHECK(subscription->next(2).events.size() == 2);
  log.commit(vm_id);
  bus.publish({log.events.back()});
  CHECK(woken == 1);
  CHECK(drain(*subscription).size() == 2);
  log.commit(vm_id);
  bus.publish({log.events.back()});
  CHECK(woken == 2);
}

TEST_CASE("bus: a slow subscriber is told from where to come again, and then misses nothing", "[host][events]") {
  Log log;
  EventBus bus(log.source(), 0, 4);
  int woken = 0;
  auto slow = bus.subscribe(0, {}, [&] { ++woken; });
  const auto quick = bus.subscribe(0, {}, [] {});
  drain(*slow);
  drain(*quick);
  log.commit(vm_id);
  bus.publish({log.events.back()});
  CHECK(drain(*slow).size() == 1);
  std::size_t quickly_seen = drain(*quick).size();
  for (int i = 0; i < 10; ++i) {
    log.commit(vm_id);
    bus.publish({log.events.back()});
    quickly_seen += drain(*quick).size();
  }
  CHECK(quickly_seen == 11);
  const auto take = slow->next(100);
  CHECK(take.end == Take::End::lagged);
  CHECK(take.events.empty());
  CHECK(take.cursor == 1);
  slow = bus.subscribe(take.cursor, {}, [] {});
  CHECK(drain(*slow).size() == 10);
}

TEST_CASE("bus: a subscription that ends within a wake call harms nobody", "[host][events]") {
  Log log;
  EventBus bus(log.source(), 0);
  std::unique_ptr<events::Subscription> first, second;
  first = bus.subscribe(0, {}, [&] { second.reset(); });
  second = bus.subscribe(0, {}, [&] { first.reset(); });
  drain(*first);
  drain(*second);
  log.commit(vm_id);
  bus.publish({log.events.back()});
  CHECK(bus.subscribers() == 1);
}

TEST_CASE("bus: a store that cannot be read ends the subscription with an error", "[host][events]") {
  EventBus bus(
      [](EventSeq, const std::optional<InstanceId>&, std::size_t) -> Result<std::vector<Published>> { return Error(Errc::io, "broken"); },
      0);
  CHECK(bus.subscribe(0, {}, [] {})->next(1).end == Take::End::failed);
}

TEST_CASE("bus: any schedule of commits, publishing and reading gives every event once, in order", "[host][events][property]") {
  const auto seed = GENERATE(range(1U, 41U));
  std::mt19937 random(seed);
  Log log;
  EventBus bus(log.source(), 0, 8);
  std::size_t published = 0;
  EventSeq cursor = 0;
  std::vector<EventSeq> seen;
  auto subscription = bus.subscribe(cursor, {}, [] {});
  const auto read = [&] {
    const auto take = subscription->next(1 + random() % 4);
    for (const auto& event : take.events) seen.push_back(event->seq);
    cursor = take.cursor;
    if (take.end == Take::End::lagged) subscription = bus.subscribe(cursor, {}, [] {});
  };
  const auto publish = [&] {
    if (published == log.events.size()) return;
    const auto count = 1 + random() % (log.events.size() - published);
    const auto from = log.events.begin() + static_cast<std::ptrdiff_t>(published);
    bus.publish({from, from + static_cast<std::ptrdiff_t>(count)});
    published += count;
  };
  for (int i = 0; i < 400; ++i) {
    switch (random() % 3) {
      case 0: log.commit(vm_id); break;
      case 1: publish(); break;
      default: read(); break;
    }
  }
  while (published < log.events.size()) publish();
  while (seen.size() < log.events.size()) read();
  std::vector<EventSeq> all;
  for (const auto& event : log.events) all.push_back(event->seq);
  CHECK(seen == all);
}

TEST_CASE("bus: replays from the real store", "[host][events]") {
  const vigil::test::Scratch scratch;
  auto store = store::Store::open(scratch / "vigil.db");
  REQUIRE(store.has_value());
  auto batch = (*store)->begin();
  auto created = make_event(0, 0, machine::Created{make_spec()});
  batch.add(created);
  REQUIRE(batch.commit().has_value());
  EventBus bus(events::replay_from(**store), (*store)->newest_seq());
  const auto subscription = bus.subscribe(0, {}, [] {});
  const auto take = subscription->next(10);
  REQUIRE(take.events.size() == 1);
  CHECK(take.events[0]->type == "created");
}

}  // namespace vigil::events
