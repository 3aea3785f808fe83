#include "guest/report/reporter.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

namespace vigil::guest::report {

namespace {

class SteppedClock final : public Clock {
public:
  MonoUs mono_us() const override { return now; }
  UnixUs unix_us() const override { return now; }
  MonoUs now = 1'000'000;
};

struct Station {
  SteppedClock clock;
  Outbox outbox{BootId("01234567-89ab-cdef-0123-456789abcdef"), clock};
  std::vector<Seq> printed;
  int wakes = 0;
  Reporter reporter{outbox, clock, [this](Seq seq, const std::string&) { printed.push_back(seq); }};
  Station() { reporter.on_queued([this] { ++wakes; }); }
};

}  // namespace

TEST_CASE("reporter: stage, service, crash and bye go to the console at once under their own number", "[guest][report]") {
  Station station;
  station.reporter.submit(protocol::StageReport{});
  station.reporter.submit(protocol::CrashTrace{});
  station.reporter.submit(protocol::ServiceReport{});
  station.reporter.submit(protocol::CrashReport{});
  station.reporter.submit(protocol::DroppedReport{});
  station.reporter.submit(protocol::ByeReport{});
  REQUIRE(station.printed == std::vector<Seq>{1, 3, 4, 6});
  REQUIRE(station.wakes == 6);
}

TEST_CASE("reporter: a crash that an earlier boot has printed already is sent, kept, and not printed again", "[guest][report]") {
  Station station;
  int kept = 0;
  station.reporter.on_crash_queued([&] { ++kept; });
  protocol::CrashReport crash;
  crash.origin = std::pair(BootId("fedcba98-89ab-cdef-0123-456789abcdef"), Seq{7});
  station.reporter.submit(crash);
  station.reporter.submit(protocol::StageReport{});
  REQUIRE(station.printed == std::vector<Seq>{2});
  REQUIRE(station.outbox.size() == 2);
  REQUIRE(kept == 1);
}

TEST_CASE("reporter: health is printed on a crossing, else once a minute and only while nobody acknowledges", "[guest][report]") {
  Station station;
  protocol::HealthReport quiet, full;
  full.causes.push_back(protocol::make_cause(protocol::CauseCode::guest_disk_full, {{"mount", "/"}}));
  station.reporter.submit(quiet);
  REQUIRE(station.printed.empty());
  station.reporter.submit(full);
  REQUIRE(station.printed.size() == 1);
  station.reporter.submit(full);
  REQUIRE(station.printed.size() == 1);

  station.reporter.submit(protocol::StageReport{});   // something that the host has not acknowledged
  station.printed.clear();
  station.reporter.submit(full);
  station.clock.now += 61'000'000;
  station.reporter.submit(full);
  REQUIRE(station.printed.size() == 1);
}

TEST_CASE("reporter: a flood is held back on the console, counted, and whole in the outbox", "[guest][report]") {
  Station station;
  for (int i = 0; i < 300; ++i) station.reporter.submit(protocol::StageReport{});
  REQUIRE(station.printed.size() == Reporter::console_burst);
  REQUIRE(station.reporter.digests_left_out() == 300 - Reporter::console_burst);
  REQUIRE(station.outbox.size() == 300);
  station.clock.now += 1'000'000;
  for (int i = 0; i < 300; ++i) station.reporter.submit(protocol::StageReport{});
  REQUIRE(station.printed.size() == Reporter::console_burst + Reporter::console_per_second);
}

}  // namespace vigil::guest::report
