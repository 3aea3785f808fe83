// The tables follow from the log, whatever came in whatever order: dropped and made again they are the same bytes.
#include "host/store/rebuild.hpp"

#include "host/store/store.hpp"
#include "tests/unit/host/machine/story.hpp"
#include "tests/unit/host/store/scratch.hpp"
#include "tests/unit/host/store/tables.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <algorithm>
#include <random>

namespace vigil::machine {
using namespace vigil::machine::test;

using store::Repair;
using store::Store;
using vigil::test::Sql;

namespace {

/// Events of several instances, runs, boots and epochs, with repetitions, holes, digests, crashes sent again, batches that are dropped, and restarts.
class Traffic {
public:
  Traffic(std::uint32_t seed, std::string path) : random_(seed), path_(std::move(path)) { reopen(); }

  void run(std::size_t batches) {
    for (std::size_t i = 0; i < batches; ++i) {
      if (pick(12) == 0) reopen();
      auto batch = store_->begin();
      if (pick(4) == 0) quiet_minute(batch);
      for (auto count = 1 + pick(6); count > 0; --count) {
        auto event = next();
        batch.add(event);
      }
      if (pick(8) != 0) REQUIRE(batch.commit().has_value());
    }
    store_.reset();
  }

private:
  std::uint32_t pick(std::uint32_t n) { return static_cast<std::uint32_t>(random_()) % n; }
  void reopen() {
    store_.reset();
    auto opened = Store::open(path_);
    if (!opened) FAIL(opened.error().message());
    store_ = std::move(*opened);
  }

  /// A run of which nothing but health is heard.
  void quiet_minute(store::Batch& batch) {
    auto start = next();
    start.body = StartRequested{"a", {}};
    batch.add(start);
    for (auto count = pick(5); count > 0; --count) {
      auto health = start;
      health.body = make_report(++seq_, HealthReport{});
      batch.add(health);
    }
  }

  VmEvent next() {
    const InstanceId id("vm-000000000" + std::to_string(pick(4)));
    now_ms_ += pick(3) == 0 ? 0 : pick(9000);
    auto event = make_event(0, now_ms_, body(), RunNumber(1 + pick(2)));
    event.instance = id;
    return event;
  }

  EventBody body() {
    switch (pick(24)) {
      case 0: return Created{make_spec("name" + std::to_string(pick(5)))};
      case 1: return pick(8) == 0 ? EventBody(Removed{"a"}) : EventBody(Adopted{7});
      case 2: return StartRequested{"a", {}};
      case 3: return pick(4) == 0 ? EventBody(VmmExited{}) : EventBody(LinkLost{"gone", {}});
      case 4: return TokenBound{boot(), std::string(8, static_cast<char>('a' + pick(6)))};
      default: return report();
    }
  }

  BootId boot() { return BootId(std::string(8, static_cast<char>('a' + pick(2))) + "-0000-4000-8000-000000000001"); }

  Reported report() {
    // Numbers go up most of the time; sometimes far, sometimes back.
    seq_ += pick(6) == 0 ? 3 + pick(20) : 1;
    const Seq seq = pick(5) == 0 ? 1 + pick(static_cast<std::uint32_t>(seq_)) : seq_;
    auto reported = make_report(seq, report_body(), pick(6) == 0 ? Channel::console : Channel::link);
    reported.report.boot = boot();
    reported.report.epoch = pick(10) == 0;
    return reported;
  }

  ReportBody report_body() {
    switch (pick(8)) {
      case 0: return DroppedReport{"service", 1 + pick(static_cast<std::uint32_t>(seq_)), seq_, 3};
      case 1:
      case 2: {
        CrashReport crash;
        crash.crash = "a-" + std::to_string(pick(9));
        crash.cause = make_cause(CauseCode::service_exited);
        if (pick(2) == 0) crash.origin = std::pair(boot(), Seq{1 + pick(9)});
        return crash;
      }
      case 3: return make_service("web", ServiceState::ready);
      default: return HealthReport{};
    }
  }

  std::mt19937 random_;
  std::string path_;
  std::unique_ptr<Store> store_;
  std::uint64_t now_ms_ = 0;
  Seq seq_ = 0;
};

store::ProjectionReport compare(const std::string& path, Repair repair = Repair::none) {
  auto report = store::compare_projections(path, repair);
  if (!report) FAIL(report.error().message());
  return std::move(*report);
}

void check_equal(const std::string& path) {
  for (const auto& difference : compare(path).differences) FAIL_CHECK(difference.table << " " << difference.row);
}

std::string made_store(const vigil::test::Scratch& scratch, std::uint32_t seed = 4711) {
  auto path = scratch / "vigil.db";
  Traffic(seed, path).run(60);
  return path;
}

}  // namespace

TEST_CASE("rebuild: any traffic leaves tables that the log leads to again, byte for byte", "[host][store][property]") {
  const auto seed = GENERATE(range(1U, 41U));
  CAPTURE(seed);
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  Traffic(seed, path).run(120);
  const auto before = vigil::test::projected_tables(path);
  check_equal(path);
  vigil::test::empty_projected_tables(path);
  CHECK_FALSE(compare(path, Repair::replace_tables).differences.empty());
  CHECK(vigil::test::projected_tables(path) == before);
  check_equal(path);
}

TEST_CASE("rebuild: the traffic of the tests has what it is for", "[host][store][property]") {
  const vigil::test::Scratch scratch;
  const auto path = made_store(scratch, 3);
  Sql sql(path);
  for (const auto* const table : vigil::test::projected)
    CHECK(sql.rows(std::string("SELECT count(*) > 0 FROM ") + table) == std::vector<std::string>{"1"});
  CHECK(sql.rows("SELECT count(*) > 0 FROM events WHERE stands_for IS NOT NULL") == std::vector<std::string>{"1"});
  CHECK(sql.rows("SELECT count(*) > 0 FROM events WHERE type = 'report_repeated'") == std::vector<std::string>{"1"});
}

TEST_CASE("rebuild: what differs is named, and is as the log has it afterwards", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = made_store(scratch);
  const auto before = vigil::test::projected_tables(path);
  Sql(path).run("UPDATE instances SET last_run = 77 WHERE row = 1; DELETE FROM tokens; INSERT INTO origins VALUES(1, 'eeeeeeee', 5)");
  const auto differing = vigil::test::projected_tables(path);
  const auto report = compare(path);
  std::size_t missing = 0, surplus = 0;
  for (const auto& each : report.differences) ++(each.kind == store::RowDifference::Kind::missing ? missing : surplus);
  CHECK(surplus == 2);
  CHECK(missing >= 2);
  const bool names_it =
      std::ranges::any_of(report.differences, [](const auto& each) { return each.table == "origins" && each.row == "1|'eeeeeeee'|5"; });
  CHECK(names_it);
  CHECK(vigil::test::projected_tables(path) == differing);  // a look changes nothing
  compare(path, Repair::replace_tables);
  CHECK(vigil::test::projected_tables(path) == before);
}

TEST_CASE("rebuild: a store goes on after its tables were made again", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = made_store(scratch, 5);
  vigil::test::empty_projected_tables(path);
  compare(path, Repair::replace_tables);
  Traffic(6, path).run(40);
  check_equal(path);
}

TEST_CASE("rebuild: a log that this version cannot read whole is refused, and the tables stay", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = made_store(scratch);
  Sql(path).run("UPDATE events SET type = 'of_a_newer_version', body = '{\"report\":5}' WHERE seq = 3; DELETE FROM tokens");
  const auto before = vigil::test::projected_tables(path);
  const auto report = store::compare_projections(path, Repair::replace_tables);
  REQUIRE_FALSE(report.has_value());
  CHECK(report.error().message().find("event 3") != std::string::npos);
  CHECK(vigil::test::projected_tables(path) == before);
}

TEST_CASE("rebuild: nothing is made where there is nothing, and an older store is left to the daemon", "[host][store]") {
  const vigil::test::Scratch scratch;
  CHECK(store::compare_projections(scratch / "none.db", Repair::replace_tables).error().code() == Errc::not_found);
  CHECK_FALSE(std::filesystem::exists(scratch / "none.db"));
  const auto path = made_store(scratch);
  Sql(path).run("PRAGMA user_version=2");
  const auto refused = store::compare_projections(path, Repair::replace_tables);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code() == Errc::unsupported);
}

}  // namespace vigil::machine
