// Runs that the fault laboratory recorded (tests/golden/faultlab): each is named as it was; without its evidence it is not, and no neighbour stands in.
//
// Shape:  the derived `state` events are left out of every replay, so what is judged is the evidence alone.
#include "host/machine/event_codec.hpp"
#include "host/machine/reduce.hpp"
#include "host/verdict/verdict.hpp"
#include "shared/json/json.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <functional>

namespace vigil::machine {

using protocol::Cause;
using protocol::CrashReport;
using protocol::ServiceReport;
using protocol::StageReport;

namespace {

std::vector<VmEvent> load(const std::string& name) {
  std::ifstream file(std::string(VIGIL_GOLDEN_DIR) + "/faultlab/" + name + ".jsonl");
  REQUIRE(file.good());
  std::vector<VmEvent> events;
  for (std::string line; std::getline(file, line);) {
    const auto object = parse_json(line);
    REQUIRE(object.has_value());
    EncodedEvent encoded;
    encoded.seq = (*object)["seq"].get<EventSeq>();
    encoded.instance = InstanceId((*object)["instance"].get<std::string>());
    encoded.run = RunNumber((*object)["run"].get<std::uint32_t>());
    encoded.type = (*object)["type"].get<std::string>();
    encoded.at_unix_us = (*object)["at_unix_us"].get<UnixUs>();
    encoded.mono_us = (*object)["mono_us"].get<MonoUs>();
    encoded.body = dump_json((*object)["body"]);
    auto event = decode_event(encoded);
    REQUIRE(event.has_value());
    events.push_back(std::move(*event));
  }
  return events;
}

/// Says whether the event is to be left out; may take a part of it away instead.
using Evidence = std::function<bool(VmEvent&)>;

/// Every verdict that the run has had, one after the other: what was said must have been right at some time, and nothing wrong ever.
std::vector<std::string> verdicts(const std::vector<VmEvent>& events, const Evidence& taken_away = {}) {
  std::vector<std::string> said;
  VmState state;
  for (auto event : events) {
    if (std::holds_alternative<StateChanged>(event.body) || (taken_away && taken_away(event))) continue;
    reduce(state, event);
    const auto verdict = verdict::classify(state);
    std::vector<const verdict::Finding*> findings;
    if (verdict.main) findings.push_back(&*verdict.main);
    for (const auto& finding : verdict.also) findings.push_back(&finding);
    for (const auto* finding : findings)
      if (std::find(said.begin(), said.end(), finding->cause.text) == said.end()) said.push_back(finding->cause.text);
  }
  return said;
}

template <class Body>
const Body* report_in(const VmEvent& event) {
  const auto* reported = std::get_if<Reported>(&event.body);
  return reported == nullptr ? nullptr : std::get_if<Body>(&reported->report.body);
}

Evidence console(ConsoleKind kind) {
  return [kind](const VmEvent& event) {
    const auto* finding = std::get_if<ConsoleFinding>(&event.body);
    return finding != nullptr && finding->kind == kind;
  };
}

template <class Body>
Evidence all_of() {
  return [](const VmEvent& event) { return std::holds_alternative<Body>(event.body); };
}

/// What a service said of its own trouble, by either channel.
Evidence services_with_a_cause() {
  return [](const VmEvent& event) {
    const auto* service = report_in<ServiceReport>(event);
    const auto* stage = report_in<StageReport>(event);
    return report_in<CrashReport>(event) != nullptr || (service != nullptr && service->cause) || (stage != nullptr && stage->cause);
  };
}

Evidence failed_stages() {
  return [](const VmEvent& event) {
    const auto* stage = report_in<StageReport>(event);
    return stage != nullptr && stage->phase == StageReport::Phase::failed;
  };
}

/// Each look at a silent guest without one of its signs.
Evidence pulses(void (*without)(PulseTaken&)) {
  return [without](VmEvent& event) {
    if (auto* const taken = std::get_if<PulseTaken>(&event.body)) without(*taken);
    return false;
  };
}

Evidence either(Evidence left, Evidence right) {
  return [left = std::move(left), right = std::move(right)](VmEvent& event) { return left(event) || right(event); };
}

struct Recording {
  const char* file;
  std::vector<std::string> with;  // all that was ever said
  Evidence evidence;
  std::vector<std::string> without;
};

const Recording recordings[] = {
    {"panic", {"guest.panic"}, either(console(ConsoleKind::panic), all_of<VmmExited>()), {}},
    {"oops", {"guest.oops"}, console(ConsoleKind::bug), {}},
    {"hung-task", {"guest.hung_task"}, console(ConsoleKind::hung_task), {}},
    {"file-system-error", {"guest.filesystem_error"}, console(ConsoleKind::filesystem_error), {}},
    {"vmm-sigsegv", {"vmm.killed"}, all_of<VmmExited>(), {}},
    {"vmm-stopped", {"vmm.stopped"}, all_of<VmmHalted>(), {}},
    {"device-killed", {"vmm.device_died"}, all_of<DeviceExited>(), {}},
    {"init-absent", {"boot.init_missing"}, console(ConsoleKind::no_root), {"boot.panic"}},
    {"init-exits", {"boot.init_exited"}, console(ConsoleKind::init_killed), {}},
    {"root-superblock", {"boot.root_corrupt"}, failed_stages(), {}},
    {"vsock-module-absent", {"boot.module_missing"}, failed_stages(), {}},
    {"module-damaged", {"boot.module_missing"}, failed_stages(), {"boot.stage_stalled"}},
    {"memory-limit", {"service.oom_killed"}, services_with_a_cause(), {}},
    {"port-taken", {"service.port_taken"}, services_with_a_cause(), {}},
    {"program-absent", {"service.missing_binary"}, services_with_a_cause(), {}},
    {"http-where-rfb-was-asked", {"service.wrong_protocol"}, services_with_a_cause(), {}},
    {"frozen", {"guest.frozen"}, all_of<PulseTaken>(), {}},
    {"frozen", {"guest.frozen"}, pulses([](PulseTaken& taken) { taken.looks_stuck = 0; }), {"link.lost"}},
    {"frozen", {"guest.frozen"}, pulses([](PulseTaken& taken) { taken.pings = 1; }), {"link.lost"}},
    {"both-channels-dead", {"vmm.device_died", "host.starved", "guest.frozen"}, all_of<PulseTaken>(), {"vmm.device_died"}},
    {"both-channels-dead", {"vmm.device_died", "host.starved", "guest.frozen"}, all_of<DeviceExited>(), {"host.starved", "guest.frozen"}},
    {"both-channels-dead",
     {"vmm.device_died", "host.starved", "guest.frozen"},
     pulses([](PulseTaken& taken) { taken.looks_stuck = 0; }),
     {"vmm.device_died", "host.starved"}},
    {"host-starved", {"host.starved"}, all_of<PulseTaken>(), {}},
    {"host-starved", {"host.starved"}, pulses([](PulseTaken& taken) { taken.waited_ms = 0; }), {"link.lost"}},
    {"upstream-refuses", {"egress.upstream_refused"}, all_of<EgressRefused>(), {}},
    {"upstream-refuses-a-page", {"egress.upstream_refused"}, all_of<EgressRefused>(), {}},
    {"name-not-resolved", {"egress.dns_failed"}, all_of<EgressRefused>(), {}},
    {"not-allowed", {"egress.denied"}, all_of<EgressRefused>(), {}},
    {"port-not-allowed-outside", {"egress.denied"}, all_of<EgressRefused>(), {}},
    {"leads-to-metadata", {"egress.denied"}, all_of<EgressRefused>(), {}},
    {"nobody-listens-outside", {"egress.connect_failed"}, all_of<EgressRefused>(), {}},
    {"tls-alert", {"egress.tls_failed"}, all_of<EgressRefused>(), {}},
    {"tls-answered-in-plain", {"egress.tls_failed"}, all_of<EgressRefused>(), {}},
    {"dies-of-a-refusal", {"egress.denied", "service.exited"}, all_of<EgressRefused>(), {"service.exited"}},
    {"dies-of-a-refusal", {"egress.denied", "service.exited"}, services_with_a_cause(), {"egress.denied"}},
};

}  // namespace

TEST_CASE("recorded evidence: each run is named by its evidence, and without it by nothing else", "[host][verdict][golden]") {
  const auto index = GENERATE(range(std::size_t{0}, std::size(recordings)));
  const Recording& recording = recordings[index];
  INFO(recording.file);
  const auto events = load(recording.file);
  CHECK(verdicts(events) == recording.with);
  CHECK(verdicts(events, recording.evidence) == recording.without);
}

}  // namespace vigil::machine
