#include "host/store/store.hpp"

#include "host/machine/reduce.hpp"
#include "tests/unit/host/machine/story.hpp"
#include "tests/unit/host/store/scratch.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/stat.h>

namespace vigil::machine {
using namespace vigil::machine::test;

using store::Admission;
using store::Store;

namespace {

std::unique_ptr<Store> open(const vigil::test::Scratch& scratch) {
  auto opened = Store::open(scratch / "vigil.db");
  if (!opened) FAIL(opened.error().message());
  return std::move(*opened);
}

VmEvent of(const InstanceId& id, EventBody body, std::uint64_t at_ms = 1) {
  auto event = make_event(0, at_ms, std::move(body));
  event.instance = id;
  return event;
}

Admission::Kind put(Store& store, VmEvent event) {
  auto batch = store.begin();
  const auto admission = batch.add(event);
  const auto done = batch.commit();
  if (!done) FAIL(done.error().message());
  return admission.kind;
}

void create(Store& store, const InstanceId& id, const std::string& name) {
  REQUIRE(put(store, of(id, Created{make_spec(name)})) == Admission::Kind::accepted);
}

const InstanceId second_id("vm-zzzzzzzzzz");
const BootId later_boot("ffffffff-0000-4000-8000-000000000002");

Reported service_report(Seq seq, Channel channel = Channel::link) {
  return make_report(seq, make_service("web", ServiceState::ready), channel);
}

CrashReport crash_of(const std::string& id) {
  CrashReport crash;
  crash.crash = id;
  crash.cause = make_cause(CauseCode::service_exited, {{"code", std::int64_t{1}}});
  return crash;
}

}  // namespace

TEST_CASE("store: what is for one user alone is not on the disk, and the row is as it was written", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  create(*store, vm_id, "one");
  SigninReport report;
  report.session = SigninSessionId("s-1");
  report.provider = "codex";
  report.step = SigninReport::Step::url_found;
  report.private_url = "https://example.test/?state=canary";
  REQUIRE(put(*store, of(vm_id, make_report(1, report))) == Admission::Kind::accepted);
  const auto events = store->events({});
  REQUIRE(events.has_value());
  CHECK(events->back().type == "signin");
  CHECK(events->back().body.find("canary") == std::string::npos);
}

TEST_CASE("store: events come back as they were, numbered over all instances", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  create(*store, vm_id, "one");
  create(*store, second_id, "two");
  auto batch = store->begin();
  auto first = of(vm_id, StartRequested{"alice", {}});
  auto other = of(second_id, StartRequested{"alice", {}});
  auto last = of(vm_id, VmmStarted{});
  batch.add(first);
  batch.add(other);
  batch.add(last);
  CHECK(first.seq == 3);
  CHECK(last.seq == 5);
  REQUIRE(batch.commit().has_value());
  CHECK(batch.encoded().size() == 3);
  const auto history = store->history(vm_id);
  REQUIRE(history.has_value());
  REQUIRE(history->events.size() == 3);
  CHECK(history->events[1] == first);
  CHECK(history->events[2] == last);
  CHECK(store->oldest_seq() == 1);
  CHECK(store->newest_seq() == 5);
  CHECK(store->events({.after = 2, .instance = {}, .run = {}, .limit = 2})->size() == 2);
  CHECK(store->events({.after = 3, .instance = vm_id, .run = {}, .limit = 10})->front().seq == 5);
}

TEST_CASE("store: a batch that is not committed leaves nothing", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  create(*store, vm_id, "one");
  {
    auto batch = store->begin();
    auto event = of(vm_id, service_report(1));
    CHECK(batch.add(event).kind == Admission::Kind::accepted);
    auto created = of(second_id, Created{make_spec("two")});
    CHECK(batch.add(created).kind == Admission::Kind::accepted);
  }
  CHECK(store->newest_seq() == 1);
  CHECK(store->acknowledged(vm_id, RunNumber(1), 0, boot_id) == 0);
  CHECK(put(*store, of(vm_id, service_report(1))) == Admission::Kind::accepted);
  CHECK_FALSE(store->find_instance("two").has_value());
}

TEST_CASE("store: instances are found by id, name and prefix, names are free again after removal", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  create(*store, vm_id, "one");
  CHECK(put(*store, of(second_id, Created{make_spec("one")})) == Admission::Kind::conflict);
  CHECK(put(*store, of(vm_id, Created{make_spec("two")})) == Admission::Kind::conflict);
  create(*store, second_id, "two");
  CHECK(store->find_instance("one")->id == vm_id);
  CHECK(store->find_instance(vm_id.value())->name == InstanceName("one"));
  CHECK(store->find_instance("vm-zz")->id == second_id);
  CHECK(store->find_instance("vm-").error().code() == Errc::not_found);
  CHECK(store->find_instance("").error().code() == Errc::not_found);
  CHECK(store->find_instance("%").error().code() == Errc::not_found);

  CHECK(put(*store, of(vm_id, Removed{"alice"})) == Admission::Kind::accepted);
  CHECK(store->instances()->size() == 1);
  REQUIRE(store->find_instance("one").has_value());
  CHECK(store->find_instance("one")->removed_unix_us.has_value());
  const InstanceId third("vm-0123456xyz");
  create(*store, third, "one");
  CHECK(store->find_instance("one")->id == third);
  CHECK(store->find_instance(vm_id.value())->removed_unix_us.has_value());
  CHECK(store->removed_instances()->size() == 1);
  CHECK(store->history(vm_id)->events.size() == 2);
}

TEST_CASE("store: a prefix that fits two instances is refused with both", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  create(*store, vm_id, "one");
  create(*store, InstanceId("vm-0123999999"), "two");
  const auto found = store->find_instance("vm-0123");
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error().code() == Errc::conflict);
  CHECK(found.error().message().find("vm-0123999999") != std::string::npos);
}

TEST_CASE("store: reports of an unknown instance are refused", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  CHECK(put(*store, of(vm_id, service_report(1))) == Admission::Kind::conflict);
  CHECK(store->newest_seq() == 0);
}

TEST_CASE("store: a report is stored once, whatever comes twice, across a restart too", "[host][store]") {
  const vigil::test::Scratch scratch;
  {
    const auto store = open(scratch);
    create(*store, vm_id, "one");
    CHECK(put(*store, of(vm_id, service_report(1))) == Admission::Kind::accepted);
    CHECK(put(*store, of(vm_id, service_report(1))) == Admission::Kind::duplicate);
    CHECK(put(*store, of(vm_id, service_report(2))) == Admission::Kind::accepted);
  }
  const auto store = open(scratch);
  CHECK(store->acknowledged(vm_id, RunNumber(1), 0, boot_id) == 2);
  CHECK(put(*store, of(vm_id, service_report(2))) == Admission::Kind::duplicate);
  CHECK(put(*store, of(vm_id, service_report(3))) == Admission::Kind::accepted);
  CHECK(store->history(vm_id)->events.size() == 4);
}

TEST_CASE("store: the same number is another report in another boot, epoch or run", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  create(*store, vm_id, "one");
  put(*store, of(vm_id, service_report(1)));
  auto other_boot = service_report(1);
  other_boot.report.boot = later_boot;
  CHECK(put(*store, of(vm_id, other_boot)) == Admission::Kind::accepted);
  auto other_epoch = service_report(1);
  other_epoch.report.epoch = 1;
  CHECK(put(*store, of(vm_id, other_epoch)) == Admission::Kind::accepted);
  auto other_run = of(vm_id, service_report(1));
  other_run.run = RunNumber(2);
  CHECK(put(*store, other_run) == Admission::Kind::accepted);
}

TEST_CASE("store: a console digest is kept as partial and replaced once by the full report", "[host][store]") {
  const vigil::test::Scratch scratch;
  auto store = open(scratch);
  create(*store, vm_id, "one");
  auto digest = service_report(1, Channel::console);
  digest.report.boot = BootId("0a1b2c3d");       // all that the console says
  CHECK(put(*store, of(vm_id, digest)) == Admission::Kind::accepted);
  CHECK(put(*store, of(vm_id, digest)) == Admission::Kind::duplicate);
  CHECK(store->acknowledged(vm_id, RunNumber(1), 0, boot_id) == 0);
  store.reset();
  store = open(scratch);
  auto full = of(vm_id, service_report(1));
  {
    auto batch = store->begin();
    CHECK(batch.add(full).kind == Admission::Kind::accepted);
    REQUIRE(batch.commit().has_value());
  }
  CHECK(std::get<Reported>(full.body).replaces == 2);
  CHECK(put(*store, of(vm_id, service_report(1))) == Admission::Kind::duplicate);
  CHECK(put(*store, of(vm_id, digest)) == Admission::Kind::duplicate);
  CHECK(std::get<Reported>(store->history(vm_id)->events.back().body).replaces == 2);
}

TEST_CASE("store: gaps are counted until a dropped report explains them", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  create(*store, vm_id, "one");
  put(*store, of(vm_id, service_report(1)));
  auto batch = store->begin();
  auto late = of(vm_id, service_report(5));
  CHECK(batch.add(late).missing == 3);
  auto dropped = of(vm_id, make_report(6, DroppedReport{"service", 2, 4, 3}));
  CHECK(batch.add(dropped).missing == 0);
  REQUIRE(batch.commit().has_value());
  CHECK(store->acknowledged(vm_id, RunNumber(1), 0, boot_id) == 6);
}

TEST_CASE("store: a crash kept on the guest's disk and sent again by a later boot is stored once", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  create(*store, vm_id, "one");
  put(*store, of(vm_id, make_report(1, crash_of("a-1"))));
  auto again = make_report(1, crash_of("a-1"));
  again.report.boot = later_boot;
  std::get<CrashReport>(again.report.body).origin = std::pair(boot_id, Seq{1});
  auto event = of(vm_id, again);
  {
    auto batch = store->begin();
    REQUIRE(batch.add(event).kind == Admission::Kind::accepted);
    REQUIRE(batch.commit().has_value());
  }
  CHECK(event.body == EventBody(ReportRepeated{later_boot, 0, 1, boot_id, 1}));
  CHECK(store->acknowledged(vm_id, RunNumber(1), 0, later_boot) == 1);   // it may be forgotten by the guest all the same
  CHECK(put(*store, of(vm_id, again)) == Admission::Kind::duplicate);

  auto unsent = again;
  unsent.report.seq = 2;
  std::get<CrashReport>(unsent.report.body).origin = std::pair(boot_id, Seq{2});
  CHECK(put(*store, of(vm_id, unsent)) == Admission::Kind::accepted);
  unsent.report.seq = 3;
  CHECK(put(*store, of(vm_id, unsent)) == Admission::Kind::accepted);
  CHECK(event_type(store->history(vm_id)->events.back().body) == "report_repeated");
}

TEST_CASE("store: a crash known from the earlier boot's console is replaced by its later full report", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  create(*store, vm_id, "one");
  auto digest = make_report(4, crash_of("a-1"), Channel::console);
  put(*store, of(vm_id, digest));
  auto full = make_report(1, crash_of("a-1"));
  full.report.boot = later_boot;
  std::get<CrashReport>(full.report.body).origin = std::pair(boot_id, Seq{4});
  auto batch = store->begin();
  auto event = of(vm_id, full);
  CHECK(batch.add(event).kind == Admission::Kind::accepted);
  REQUIRE(batch.commit().has_value());
  CHECK(std::get<Reported>(event.body).replaces == 2);
}

TEST_CASE("store: a boot's token is known by its hash after a restart", "[host][store]") {
  const vigil::test::Scratch scratch;
  {
    const auto store = open(scratch);
    create(*store, vm_id, "one");
    CHECK(put(*store, of(vm_id, TokenBound{boot_id, "c0ffee"})) == Admission::Kind::accepted);
    CHECK(put(*store, of(second_id, TokenBound{boot_id, "c0ffee"})) == Admission::Kind::conflict);
  }
  const auto store = open(scratch);
  CHECK(*store->token_sha256(vm_id, RunNumber(1), boot_id) == "c0ffee");
  CHECK_FALSE(store->token_sha256(vm_id, RunNumber(2), boot_id)->has_value());
  CHECK_FALSE(store->token_sha256(vm_id, RunNumber(1), later_boot)->has_value());
}

TEST_CASE("store: the stored history replays to the state that was reduced", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  Story story;
  story.become_ready();
  story.exit(3000, ExitSignal{9, false});
  VmState live;
  auto batch = store->begin();
  for (auto event : story.events) {
    REQUIRE(batch.add(event).kind == Admission::Kind::accepted);
    reduce(live, event);
  }
  REQUIRE(batch.commit().has_value());
  CHECK(replay(store->history(vm_id)->events) == live);
  CHECK(store->find_instance("one")->last_run == RunNumber(1));
}

TEST_CASE("store: the file is for its owner only", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  struct stat status{};
  REQUIRE(::stat((scratch / "vigil.db").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

namespace {

/// The whole seconds at which the log holds a health report.
std::vector<std::uint64_t> health_seconds(const Store& store) {
  std::vector<std::uint64_t> seconds;
  const auto history = store.history(vm_id).value();
  for (const auto& event : history.events)
    if (event_type(event.body) == "health") seconds.push_back((event.at_unix_us - epoch_unix_us) / 1'000'000);
  return seconds;
}

}  // namespace

TEST_CASE("store: health that says nothing new takes the place of the one before it, but for one a minute", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  create(*store, vm_id, "one");
  REQUIRE(put(*store, of(vm_id, StartRequested{"alice", {}})) == Admission::Kind::accepted);
  HealthReport well, full;
  full.causes = {make_cause(CauseCode::guest_disk_full, {{"mount", "/"}})};
  HealthReport with_news = full;
  with_news.kernel = {{1, 3, "I/O error"}};
  Seq seq = 0;
  const auto tell = [&](std::uint64_t second, const HealthReport& health) {
    well.memory_available_kib = full.memory_available_kib = second;   // some value always differs
    REQUIRE(put(*store, of(vm_id, make_report(++seq, health), second * 1000)) == Admission::Kind::accepted);
  };
  for (std::uint64_t second = 0; second <= 130; second += 5) tell(second, well);
  CHECK(health_seconds(*store) == std::vector<std::uint64_t>{55, 115, 130});
  tell(135, full);
  tell(140, full);
  tell(145, with_news);
  tell(150, full);
  tell(155, well);
  CHECK(health_seconds(*store) == std::vector<std::uint64_t>{55, 115, 130, 145, 150, 155});
  CHECK(store->events({.after = 0, .instance = vm_id, .run = {}, .limit = 100})->size() == 8);
}

TEST_CASE("store: health stays when something came between, when it went back, and when the run is over", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  create(*store, vm_id, "one");
  put(*store, of(vm_id, StartRequested{"alice", {}}));
  const auto tell = [&](Seq seq, std::uint64_t second) { put(*store, of(vm_id, make_report(seq, HealthReport{}), second * 1000)); };
  tell(1, 1);
  put(*store, of(vm_id, service_report(2)));
  tell(3, 3);
  tell(7, 7);                                       // in the place of the one before
  tell(5, 8);                                       // late: its number is lower
  CHECK(health_seconds(*store) == std::vector<std::uint64_t>{1, 7, 8});
  put(*store, of(vm_id, VmmExited{}));
  tell(9, 9);
  tell(10, 10);
  CHECK(health_seconds(*store) == std::vector<std::uint64_t>{1, 7, 8, 9, 10});
}

TEST_CASE("store: health of one batch is thinned out too, and a batch that is not committed thins out nothing", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open(scratch);
  create(*store, vm_id, "one");
  put(*store, of(vm_id, StartRequested{"alice", {}}));
  REQUIRE(put(*store, of(vm_id, make_report(1, HealthReport{}), 1000)) == Admission::Kind::accepted);
  {
    auto batch = store->begin();
    auto second = of(vm_id, make_report(2, HealthReport{}), 2000), third = of(vm_id, make_report(3, HealthReport{}), 3000);
    batch.add(second);
    batch.add(third);
  }
  CHECK(health_seconds(*store) == std::vector<std::uint64_t>{1});
  auto batch = store->begin();
  auto second = of(vm_id, make_report(2, HealthReport{}), 2000), third = of(vm_id, make_report(3, HealthReport{}), 3000);
  batch.add(second);
  batch.add(third);
  REQUIRE(batch.commit().has_value());
  CHECK(health_seconds(*store) == std::vector<std::uint64_t>{3});
}

TEST_CASE("store: what was done with something that no row knows is an event of no instance", "[host][store]") {
  const vigil::test::Scratch scratch;
  {
    const auto store = open(scratch);
    create(*store, vm_id, "one");
    CHECK(put(*store, of(InstanceId(), Reconciled{"process", "pid 7", "ended", "no row"})) == Admission::Kind::accepted);
    CHECK(put(*store, of(InstanceId(), Adopted{7})) == Admission::Kind::conflict);   // nothing else is
  }
  const auto store = open(scratch);
  const auto all = store->events({});
  REQUIRE(all.has_value());
  REQUIRE(all->size() == 2);
  CHECK(all->back().instance.value().empty());
  CHECK(all->back().type == "reconciled");
  CHECK(decode_event(all->back())->body == EventBody(Reconciled{"process", "pid 7", "ended", "no row"}));
  CHECK(store->history(vm_id)->events.size() == 1);
}

TEST_CASE("store: tokens are kept as rows, over a restart, and revoked once", "[host][store]") {
  const vigil::test::Scratch scratch;
  const store::TokenRow row{"abc", std::string(64, 'a'), "alice", "read", "for tests", 5, 9, {}};
  {
    const auto store = open(scratch);
    REQUIRE(store->add_token(row).has_value());
    CHECK(store->add_token(row).error().code() == Errc::conflict);
  }
  const auto store = open(scratch);
  CHECK(**store->find_token("abc") == row);
  CHECK_FALSE(store->find_token("abd")->has_value());
  REQUIRE(store->revoke_token("abc", 77).has_value());
  REQUIRE(store->revoke_token("abc", 99).has_value());
  CHECK((*store->find_token("abc"))->revoked_unix_us == 77);
  CHECK(store->revoke_token("nobody", 1).error().code() == Errc::not_found);
  CHECK(store->tokens()->size() == 1);
}

}  // namespace vigil::machine
