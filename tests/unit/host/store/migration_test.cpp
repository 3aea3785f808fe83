// Stores that earlier versions wrote: tests/golden/store/schemaN.db was written by a daemon of that time.
#include "host/machine/reduce.hpp"
#include "host/store/rebuild.hpp"
#include "host/store/store.hpp"
#include "tests/unit/host/machine/story.hpp"
#include "tests/unit/host/store/scratch.hpp"
#include "tests/unit/host/store/tables.hpp"

#include <catch2/catch_test_macros.hpp>

#include <filesystem>

namespace vigil::machine {
using namespace vigil::machine::test;

using store::Admission;
using store::Store;
using vigil::test::Sql;

namespace {

const BootId second_boot("ffffffff-0000-4000-8000-000000000002");

std::string golden_copy(const vigil::test::Scratch& scratch) {
  const auto path = scratch / "vigil.db";
  std::filesystem::copy_file(VIGIL_GOLDEN_DIR "/store/schema2.db", path);
  return path;
}

std::unique_ptr<Store> open_at(const std::string& path) {
  auto opened = Store::open(path);
  if (!opened) FAIL(opened.error().message());
  return std::move(*opened);
}

Admission::Kind offer(Store& store, Reported report) {
  auto event = make_event(0, 300'000, std::move(report));
  auto batch = store.begin();
  const auto kind = batch.add(event).kind;
  REQUIRE(batch.commit().has_value());
  return kind;
}

void check_equal_to_log(const std::string& path) {
  const auto report = store::compare_projections(path, store::Repair::none);
  if (!report) FAIL(report.error().message());
  for (const auto& difference : report->differences) FAIL_CHECK(difference.table << " " << difference.row);
}

}  // namespace

TEST_CASE("migration: a store of schema 2 keeps its rows, as they were", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = golden_copy(scratch);
  const char* const same[] = {
      "SELECT row, id, name, spec, image_digest, created_unix_us, removed_unix_us, last_run FROM instances ORDER BY row",
      "SELECT instance, boot, run, epoch, last, gaps FROM streams ORDER BY 1, 2, 3, 4",
      "SELECT instance, boot, seq FROM origins ORDER BY 1, 2, 3",
      "SELECT instance, run, boot, sha256 FROM tokens ORDER BY 1, 2, 3",
      "SELECT * FROM api_tokens",
      "SELECT seq, instance, run, type, at_unix_us, mono_us, body FROM events ORDER BY seq"};
  std::vector<std::vector<std::string>> before;
  for (const auto* const sql : same) before.push_back(Sql(path).rows(sql));
  const auto partials =
      Sql(path).rows("SELECT s.instance, s.boot, s.run, s.epoch, p.seq, p.event FROM partials p JOIN streams s ON s.row = p.stream");
  REQUIRE(partials.size() == 1);
  open_at(path);
  for (std::size_t i = 0; i < std::size(same); ++i) {
    REQUIRE_FALSE(before[i].empty());
    CHECK(Sql(path).rows(same[i]) == before[i]);
  }
  CHECK(Sql(path).rows("SELECT instance, boot, run, epoch, seq, event FROM partials") == partials);
  CHECK(Sql(path).rows("PRAGMA user_version") == std::vector<std::string>{"5"});
  check_equal_to_log(path);
}

TEST_CASE("migration: what a store of schema 2 knew, it knows", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto store = open_at(golden_copy(scratch));
  CHECK(store->find_instance("one")->last_run == RunNumber(2));
  CHECK(store->find_instance("two")->spec.labels.at("a") == "b \"quoted\" \xc3\xa9");
  CHECK(store->find_instance("three")->removed_unix_us.has_value());
  CHECK(store->acknowledged(vm_id, RunNumber(1), 0, boot_id) == 40);
  CHECK(*store->token_sha256(vm_id, RunNumber(1), boot_id) == std::string(64, 'c'));
  CHECK(store->history(vm_id)->skipped == 0);
  CHECK(store->events({})->back().type == "reconciled");
  CHECK(offer(*store, make_report(20, HealthReport{})) == Admission::Kind::duplicate);      // not in the log any more, and known
  CHECK(offer(*store, make_report(15, HealthReport{})) == Admission::Kind::accepted);       // a hole
  CHECK(offer(*store, make_report(46, make_service("web", ServiceState::failed), Channel::console)) == Admission::Kind::duplicate);
  CrashReport crash;
  crash.crash = "a-1";
  crash.cause = make_cause(CauseCode::service_exited);
  crash.origin = std::pair(boot_id, Seq{45});
  auto again = make_report(3, crash);
  again.report.boot = second_boot;
  CHECK(offer(*store, again) == Admission::Kind::accepted);
  CHECK(event_type(store->history(vm_id)->events.back().body) == "report_repeated");
}

TEST_CASE("migration: tables that are lost are made again from the checkpoint and what came after it", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = golden_copy(scratch);
  {
    const auto store = open_at(path);
    CHECK(offer(*store, make_report(46, make_service("web", ServiceState::failed))) == Admission::Kind::accepted);
    CHECK(offer(*store, make_report(15, make_service("web", ServiceState::ready))) == Admission::Kind::accepted);
  }
  const auto whole = vigil::test::projected_tables(path);
  check_equal_to_log(path);
  vigil::test::empty_projected_tables(path);
  REQUIRE(store::compare_projections(path, store::Repair::replace_tables).has_value());
  CHECK(vigil::test::projected_tables(path) == whole);
}

TEST_CASE("migration: a store of the first version is brought forward too", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = golden_copy(scratch);
  Sql(path).run("DROP TABLE api_tokens; PRAGMA user_version=1");
  const auto store = open_at(path);
  CHECK(store->newest_seq() == 28);
  CHECK(store->add_token({"abc", "", "alice", "read", "", 5, {}, {}}).has_value());
}

TEST_CASE("migration: one that cannot be carried out changes nothing", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = golden_copy(scratch);
  Sql(path).run("CREATE TABLE checkpoints(mine)");
  const auto before = Sql(path).rows("SELECT * FROM streams");
  const auto opened = Store::open(path);
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().message().find("migrate to version 3") != std::string::npos);
  CHECK(Sql(path).rows("SELECT * FROM streams") == before);
  CHECK(Sql(path).rows("PRAGMA user_version") == std::vector<std::string>{"2"});
}

}  // namespace vigil::machine
