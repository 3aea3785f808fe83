#include "guest/report/outbox.hpp"

#include <catch2/catch_test_macros.hpp>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace vigil::guest::report {

namespace {

class FakeClock final : public Clock {
public:
  MonoUs mono_us() const override { return now; }
  UnixUs unix_us() const override { return now; }
  MonoUs now = 1'000;
};

const BootId reporting_boot("01234567-89ab-cdef-0123-456789abcdef");

protocol::ServiceReport service(const std::string& name, std::int64_t pid = 1) {
  protocol::ServiceReport report;
  report.name = ServiceName(name);
  report.pid = pid;
  return report;
}

protocol::CrashReport crash(protocol::CauseCode code, const std::string& id) {
  protocol::CrashReport report;
  report.crash = id;
  report.cause = protocol::make_cause(code);
  return report;
}

protocol::HealthReport health_with(std::uint64_t available_kib) {
  protocol::HealthReport report;
  report.memory_available_kib = available_kib;
  return report;
}

/// What a link would carry now, oldest first.
std::vector<protocol::Report> send_all(Outbox& outbox) {
  std::vector<protocol::Report> sent;
  while (const auto* next = outbox.next_to_send()) {
    sent.push_back(*next);
    outbox.mark_sent(next->seq);
  }
  return sent;
}

std::vector<Seq> numbers(const std::vector<protocol::Report>& reports) {
  std::vector<Seq> seqs;
  for (const auto& report : reports) seqs.push_back(report.seq);
  return seqs;
}

/// Every number up to the newest is there, or inside the range of a dropped report.
void require_gaps_explained(const std::vector<protocol::Report>& reports, Seq newest) {
  std::set<Seq> explained;
  for (const auto& report : reports) {
    explained.insert(report.seq);
    if (const auto* dropped = std::get_if<protocol::DroppedReport>(&report.body))
      for (Seq seq = dropped->first_seq; seq <= dropped->last_seq; ++seq) explained.insert(seq);
  }
  for (Seq seq = 1; seq <= newest; ++seq) {
    INFO("number " << seq);
    REQUIRE(explained.contains(seq));
  }
}

}  // namespace

TEST_CASE("outbox: numbers from 1, stamps boot, epoch and time, keeps until acknowledged", "[guest][report]") {
  FakeClock clock;
  Outbox outbox(reporting_boot, clock);
  REQUIRE(outbox.first_unacked() == 1);
  REQUIRE(outbox.append(protocol::StageReport{}) == 1);
  clock.now = 2'000;
  outbox.set_epoch(3);
  REQUIRE(outbox.append(service("web")) == 2);

  const auto sent = send_all(outbox);
  REQUIRE(numbers(sent) == std::vector<Seq>{1, 2});
  REQUIRE(sent[0].mono_us == 1'000);
  REQUIRE(sent[1].mono_us == 2'000);
  REQUIRE(sent[0].epoch == 0);
  REQUIRE(sent[1].epoch == 3);
  REQUIRE(sent[1].boot == reporting_boot);

  outbox.acknowledge(1);
  REQUIRE(outbox.first_unacked() == 2);
  outbox.acknowledge(2);
  REQUIRE(outbox.size() == 0);
  REQUIRE(outbox.first_unacked() == 3);
}

TEST_CASE("outbox: a new link carries all that was not acknowledged, in order and unchanged", "[guest][report]") {
  FakeClock clock;
  Outbox outbox(reporting_boot, clock);
  for (int i = 0; i < 5; ++i) outbox.append(service("web", i));
  const auto first = send_all(outbox);
  outbox.acknowledge(2);
  REQUIRE(outbox.next_to_send() == nullptr);

  outbox.rewind();
  const auto second = send_all(outbox);
  REQUIRE(numbers(second) == std::vector<Seq>{3, 4, 5});
  REQUIRE(second == std::vector<protocol::Report>(first.begin() + 2, first.end()));
}

TEST_CASE("outbox: an acknowledgement of what was never sent forgets nothing", "[guest][report]") {
  FakeClock clock;
  Outbox outbox(reporting_boot, clock);
  outbox.append(service("web"));
  outbox.acknowledge(1'000'000);
  REQUIRE(outbox.size() == 1);
  outbox.mark_sent(1);
  outbox.append(service("web"));
  outbox.acknowledge(1'000'000);
  REQUIRE(numbers(send_all(outbox)) == std::vector<Seq>{2});
}

TEST_CASE("outbox: over its limit it collapses one service's reports to the newest, which counts them", "[guest][report]") {
  FakeClock clock;
  Outbox outbox(reporting_boot, clock, {.reports = 4});
  outbox.append(protocol::StageReport{});
  outbox.append(service("echo", 7));
  for (int i = 0; i < 10; ++i) outbox.append(service("web", i));

  const auto sent = send_all(outbox);
  REQUIRE(sent.size() <= 5);
  std::uint32_t collapsed = 0, seen_web = 0;
  bool seen_echo = false, seen_stage = false;
  for (const auto& report : sent) {
    seen_stage |= std::holds_alternative<protocol::StageReport>(report.body);
    const auto* state = std::get_if<protocol::ServiceReport>(&report.body);
    if (!state) continue;
    seen_echo |= state->name.value() == "echo";
    if (state->name.value() != "web") continue;
    ++seen_web;
    collapsed += state->collapsed;
  }
  REQUIRE(seen_stage);
  REQUIRE(seen_echo);
  REQUIRE(collapsed + seen_web == 10);
  REQUIRE(outbox.dropped() == collapsed);
  const auto& newest = std::get<protocol::ServiceReport>((sent.end() - 1)->body.index() == 1 ? (sent.end() - 1)->body : (sent.end() - 2)->body);
  REQUIRE(newest.pid == 9);
  require_gaps_explained(sent, outbox.next_seq() - 1);
}

TEST_CASE("outbox: a report that was sent once never changes, also when it is the newest of a collapse", "[guest][report]") {
  FakeClock clock;
  Outbox outbox(reporting_boot, clock, {.reports = 2});
  outbox.append(service("web", 1));
  outbox.append(service("web", 2));
  const auto first = send_all(outbox);
  outbox.rewind();
  outbox.append(protocol::StageReport{});
  for (const auto& report : send_all(outbox))
    for (const auto& before : first)
      if (before.seq == report.seq) REQUIRE(before == report);
}

TEST_CASE("outbox: keeps the first 32 crash reports and counts the rest by cause", "[guest][report]") {
  FakeClock clock;
  Outbox outbox(reporting_boot, clock);
  for (int i = 0; i < 40; ++i) outbox.append(crash(protocol::CauseCode::service_exited, "web-" + std::to_string(i)));
  for (int i = 0; i < 3; ++i) outbox.append(crash(protocol::CauseCode::service_oom_killed, "echo-" + std::to_string(i)));

  const auto sent = send_all(outbox);
  std::size_t crashes = 0;
  std::map<std::string, std::uint64_t> counters;
  for (const auto& report : sent) {
    if (std::holds_alternative<protocol::CrashReport>(report.body)) ++crashes;
    if (const auto* dropped = std::get_if<protocol::DroppedReport>(&report.body)) counters[dropped->kind] += dropped->count;
  }
  REQUIRE(crashes == 32);
  REQUIRE(counters == std::map<std::string, std::uint64_t>{{"crash:service.exited", 8}, {"crash:service.oom_killed", 3}});
  require_gaps_explained(sent, outbox.next_seq() - 1);

  outbox.acknowledge(sent.back().seq);
  outbox.append(crash(protocol::CauseCode::service_exited, "web-41"));
  REQUIRE(std::holds_alternative<protocol::CrashReport>(outbox.next_to_send()->body));
}

TEST_CASE("outbox: only the newest health report waits", "[guest][report]") {
  FakeClock clock;
  Outbox outbox(reporting_boot, clock);
  for (std::uint64_t i = 0; i < 100; ++i) outbox.append(health_with(i));
  const auto sent = send_all(outbox);
  REQUIRE(sent.size() == 2);   // and one report that explains the gap
  const auto* health = std::get_if<protocol::HealthReport>(&sent.back().body);
  if (!health) health = std::get_if<protocol::HealthReport>(&sent.front().body);
  REQUIRE(health->memory_available_kib == 99);
  require_gaps_explained(sent, outbox.next_seq() - 1);
}

TEST_CASE("outbox: the kernel's messages of a health report that gives way go with the newer one", "[guest][report]") {
  FakeClock clock;
  Outbox outbox(reporting_boot, clock);
  for (std::uint64_t i = 0; i < 50; ++i) {
    protocol::HealthReport health;
    health.kernel = {{i, 3, "message " + std::to_string(i)}};
    outbox.append(health);
  }
  const auto sent = send_all(outbox);
  const auto* health = std::get_if<protocol::HealthReport>(&sent.back().body);
  if (!health) health = std::get_if<protocol::HealthReport>(&sent.front().body);
  REQUIRE(health->kernel.size() == 32);
  REQUIRE(health->kernel.front().text == "message 0");
  REQUIRE(health->kernel_lost == 18);
}

TEST_CASE("outbox: stays bounded when the host takes reports but never acknowledges", "[guest][report]") {
  FakeClock clock;
  Outbox outbox(reporting_boot, clock, {.reports = 16});
  std::vector<protocol::Report> ever_sent;
  for (int i = 0; i < 500; ++i) {
    outbox.append(service("web", i));
    for (auto& report : send_all(outbox)) ever_sent.push_back(std::move(report));
    REQUIRE(outbox.size() <= 16 + 8 + 2);
  }
  require_gaps_explained(ever_sent, ever_sent.back().seq);
}

TEST_CASE("outbox: whatever is appended, sent and acknowledged, each service's newest report stays until it is acknowledged", "[guest][report]") {
  FakeClock clock;
  std::uint32_t drawn = 20261126;
  const auto below = [&](int limit) {
    drawn = drawn * 1664525 + 1013904223;
    return static_cast<int>((drawn >> 16) % static_cast<unsigned>(limit));
  };
  for (int round = 0; round < 50; ++round) {
    auto outbox = std::make_unique<Outbox>(reporting_boot, clock, OutboxLimits{.reports = 12});
    std::map<std::string, Seq> newest;
    Seq acknowledged = 0;
    for (int step = 0; step < 300; ++step) {
      const std::string name = "s" + std::to_string(below(8));
      switch (below(8)) {
        case 0: send_all(*outbox); break;
        case 1: outbox->rewind(); break;
        case 2:
          if (const auto* next = outbox->next_to_send()) outbox->mark_sent(next->seq);
          break;
        case 3:
          acknowledged = std::max(acknowledged, std::min(outbox->state().highest_sent, outbox->first_unacked() + static_cast<Seq>(below(4))));
          outbox->acknowledge(acknowledged);
          break;
        case 4: outbox = std::make_unique<Outbox>(reporting_boot, clock, outbox->state(), OutboxLimits{.reports = 12}); break;
        default: newest[name] = outbox->append(service(name, step)); break;
      }
      std::set<Seq> kept;
      for (const auto& report : outbox->state().reports) kept.insert(report.seq);
      for (const auto& [service_name, seq] : newest) REQUIRE((seq <= acknowledged || kept.contains(seq)));
    }
  }
}

TEST_CASE("outbox: traces and unknown reports go before health, stages never", "[guest][report]") {
  FakeClock clock;
  Outbox outbox(reporting_boot, clock, {.reports = 3});
  outbox.append(protocol::CrashTrace{});
  outbox.append(protocol::HealthReport{});
  outbox.append(protocol::StageReport{});
  outbox.append(protocol::StageReport{});
  std::set<std::string> kinds;
  for (const auto& report : send_all(outbox)) kinds.insert(protocol::report_type(report.body));
  REQUIRE_FALSE(kinds.contains("crash_trace"));
  REQUIRE(kinds.contains("stage"));
  REQUIRE(kinds.contains("dropped"));
}

TEST_CASE("outbox: its state carries over to the next life of the agent", "[guest][report]") {
  FakeClock clock;
  Outbox first(reporting_boot, clock);
  first.append(protocol::StageReport{});
  first.append(crash(protocol::CauseCode::service_exited, "web-1"));
  first.append(service("web"));
  first.mark_sent(first.next_to_send()->seq);
  first.mark_sent(first.next_to_send()->seq);
  first.acknowledge(1);

  Outbox second(reporting_boot, clock, first.state());
  REQUIRE(second.state() == first.state());
  REQUIRE(second.append(service("web")) == 4);
  REQUIRE(numbers(send_all(second)) == std::vector<Seq>{3, 4});
  second.rewind();
  REQUIRE(numbers(send_all(second)) == std::vector<Seq>{2, 3, 4});
}

TEST_CASE("outbox: a report of an earlier life of the agent goes out first, under the number it had", "[guest][report]") {
  FakeClock clock;
  OutboxState left;
  left.next_seq = 1000;
  left.highest_sent = 999;
  Outbox outbox(reporting_boot, clock, left);
  outbox.append(protocol::StageReport{});
  const protocol::Report kept{reporting_boot, 0, 7, 5, crash(protocol::CauseCode::service_exited, "web-1")};
  outbox.restore(kept);
  outbox.restore(kept);                                                                              // once
  outbox.restore({reporting_boot, 0, 1000, 5, crash(protocol::CauseCode::service_exited, "web-2")});   // a number of this life
  const auto sent = send_all(outbox);
  REQUIRE(numbers(sent) == std::vector<Seq>{7, 1000});
  REQUIRE(sent[0] == kept);
  REQUIRE(outbox.crashes().size() == 1);
  outbox.acknowledge(1000);
  REQUIRE(outbox.size() == 0);
  REQUIRE(outbox.crashes().empty());
}

}  // namespace vigil::guest::report
