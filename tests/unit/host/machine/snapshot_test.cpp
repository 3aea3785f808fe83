#include "host/machine/reduce.hpp"
#include "host/machine/state_codec.hpp"
#include "host/machine/state_fields.hpp"
#include "tests/unit/host/machine/schedule.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>

#include <cstddef>

namespace vigil::machine {

using namespace vigil::machine::test;

namespace {

/// Becomes whatever a member is: how many of them an aggregate takes is how many members it has.
struct Anything {
  template <class T>
  operator T() const;
};

template <class T, class... Members>
constexpr std::size_t members_of(Members... members) {
  if constexpr (requires { T{members..., Anything{}}; })
    return members_of<T>(members..., Anything{});
  else
    return sizeof...(members);
}

struct Counter {
  std::size_t called = 0;
  void operator()(const char*, const auto&) { ++called; }
};

template <class T>
std::size_t described() {
  Counter counter;
  const T value{};
  fields(counter, value);
  return counter.called;
}

CrashReport make_crash() {
  CrashReport crash;
  crash.crash = "web-1";
  crash.service = "web";
  crash.exit = ExitSignal{11, true};
  crash.cause = make_cause(CauseCode::service_signalled, {{"signal", "SIGSEGV"}}, {"a line"});
  crash.stderr_tail = std::string("\0\xff raw", 6);
  return crash;
}

CrashTrace make_trace() {
  CrashTrace trace;
  trace.crash = "web-1";
  trace.fault_address = 0xffffffff81000000;
  trace.frames = {{"web", "b1", "work", 7}};
  return trace;
}

/// A life in which everything is said that a state keeps.
std::vector<EventBody> full_life() {
  const auto cause = make_cause(CauseCode::egress_denied, {{"host", "example.test:443"}});
  HealthReport health;
  health.causes = {make_cause(CauseCode::guest_disk_full, {{"path", "/"}})};
  health.pressure = Pressure{1, 2, 3, 4, 5};
  health.file_systems = {{"/", 5, 4, 3, 2}};
  NetReport net;
  net.listeners = {{"web", "nginx", 7, "::", 80}};
  DroppedReport dropped;
  dropped.kind = "service";
  dropped.count = 3;
  return {StartRequested{"a", Accelerator::kvm},
          VmmStarted{Accelerator::kvm, "why", "qemu", "7.2", 1, 2, 3, 4},
          make_finding(ConsoleKind::oops, "Oops: 0000", {{"cpu", "1"}}),
          LinkUp{boot_id, 1, "init", "0.1", "b", "d", "6.12", 9},
          ClockSynced{-5, 6},
          make_report(1, make_stage(Stage::services, StageReport::Phase::done)),
          make_report(2, make_service("web", ServiceState::ready)),
          make_report(3, health),
          make_report(4, net),
          make_report(5, dropped),
          make_report(6, make_crash()),
          make_report(7, make_trace()),
          LinkRefused{"no token"},
          EgressRefused{cause, 3},
          DeviceExited{"vhost-device-vsock", ExitCode{1}},
          VmmHalted{true},
          PulseTaken{.pings = 3, .host_busy_percent = 40, .vmm_status = "running", .looks_stuck = 2},
          LogsLost{"web", 5, "rate"},
          HoldSet{"alice", epoch_unix_us * 2, "bob"},
          LeaseSet{9, "bob"},
          PolicyPaused{11, "bob"},
          PolicyDecided{"idle", "stop", "acts", "unused", 5, {{"unused_s", 5}}, {{"idle_s", 4}}, {"hold alice"}},
          LinkLost{"gone", make_cause(CauseCode::link_flood)},
          StateChanged{RunState::degraded, Power::running, Liveness::ok, {}, cause, "web"},
          StopRequested{StopKind::stop, std::chrono::seconds(3), "bob"},
          make_report(8, ByeReport{ByeReport::Kind::poweroff, "host", true}),
          VmmExited{ExitSignal{9, true}, "guest-shutdown", 5, 1, 2, 3, {"last", "words"}},
          StateChanged{RunState::stopped, Power::stopped, Liveness::ok, Outcome::crashed, {}, ""},
          RestartsEnded{3, RunNumber(1)}};
}

std::string difference(const VmState& state) {
  const auto read = decode_state(encode_state(state));
  if (!read) return read.error().message();
  return *read == state ? "" : "another state: " + encode_state(state) + " / " + encode_state(*read);
}

}  // namespace

TEST_CASE("snapshot: each member of a state is described", "[host][machine]") {
  CHECK(described<StageRecord>() == members_of<StageRecord>());
  CHECK(described<ServiceRecord>() == members_of<ServiceRecord>());
  CHECK(described<CrashRecord>() == members_of<CrashRecord>());
  CHECK(described<FindingRecord>() == members_of<FindingRecord>());
  CHECK(described<MissedStage>() == members_of<MissedStage>());
  CHECK(described<StopRecord>() == members_of<StopRecord>());
  CHECK(described<ByeRecord>() == members_of<ByeRecord>());
  CHECK(described<EndRecord>() == members_of<EndRecord>());
  CHECK(described<TimedCause>() == members_of<TimedCause>());
  CHECK(described<Run>() == members_of<Run>());
  CHECK(described<VmState>() == members_of<VmState>());
}

TEST_CASE("snapshot: every state of a life is read as it was written", "[host][machine]") {
  VmState state;
  auto spec = make_spec();
  spec.secrets["token"] = "";
  spec.services["web"] = R"({"essential":false})";
  spec.deadlines_ms[Stage::agent] = std::chrono::milliseconds(7);
  std::uint64_t seq = 1;
  reduce(state, make_event(1, 1, Created{spec}));
  for (auto& body : full_life()) {
    ++seq;
    reduce(state, make_event(seq, seq, body));
    CHECK(difference(state) == "");
  }
  REQUIRE(state.run);
  CHECK(state.run->end);
  CHECK_FALSE(state.run->crashes.empty());
  CHECK(state.run->crashes[0].trace);
  CHECK_FALSE(state.holds.empty());
}

TEST_CASE("snapshot: states of generated lives, too, and a replay from one comes to the same", "[host][machine]") {
  const auto seed = GENERATE(range(1U, 60U));
  CAPTURE(seed);
  const auto events = Schedule(seed).make(120);
  const auto middle = events.size() * (seed % 10) / 10;
  VmState whole, from_snapshot;
  std::string broken;
  for (std::size_t n = 0; n < events.size(); ++n) {
    reduce(whole, events[n]);
    if (broken.empty()) broken = difference(whole);
    if (n == middle) from_snapshot = *decode_state(encode_state(whole));
    if (n > middle) reduce(from_snapshot, events[n]);
  }
  CHECK(broken == "");
  CHECK(from_snapshot == whole);
}

TEST_CASE("snapshot: what is none is refused and named", "[host][machine]") {
  for (const auto* const text : {"", "[]", "{}", "{\"version\":0,\"state\":{}}", "{\"version\":\"1\"}"}) {
    CAPTURE(text);
    CHECK_FALSE(decode_state(text).has_value());
  }
  VmState state;
  reduce(state, make_event(1, 1, Created{make_spec()}));
  const auto text = encode_state(state);
  const auto place = text.find("\"stray_events\":0");
  REQUIRE(place != std::string::npos);
  CHECK_FALSE(decode_state(std::string(text).replace(place, 16, "\"stray_events\":-")).has_value());
  const auto unnamed = decode_state(std::string(text).replace(place, 14, "\"other_events\""));
  REQUIRE_FALSE(unnamed.has_value());
  CHECK(unnamed.error().message().find("stray_events") != std::string::npos);
}

}  // namespace vigil::machine
