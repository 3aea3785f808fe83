#include "host/console/console_reader.hpp"

#include "shared/protocol/codec.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

namespace vigil::console {

using console::ConsoleReader;
using machine::ConsoleFinding;
using machine::ConsoleKind;
using machine::EventBody;
using machine::Reported;

namespace {

std::vector<ConsoleFinding> findings(const std::vector<EventBody>& events) {
  std::vector<ConsoleFinding> found;
  for (const auto& event : events)
    if (const auto* finding = std::get_if<ConsoleFinding>(&event)) found.push_back(*finding);
  return found;
}

std::uint64_t counted(const std::vector<ConsoleFinding>& found, ConsoleKind kind) {
  std::uint64_t sum = 0;
  for (const auto& finding : found) {
    if (finding.kind == kind) ++sum;
    if (finding.kind == ConsoleKind::suppressed && finding.captured.at("kind") == to_text(kind)) sum += finding.count;
  }
  return sum;
}

const std::string panic_text =
    "[    7.300000] sysrq: Trigger a crash\r\n"
    "[    7.310862] Kernel panic - not syncing: sysrq triggered crash\r\n"
    "[    7.311000] CPU: 0 UID: 0 PID: 204 Comm: sh Not tainted 6.12.48+deb13-cloud-amd64 #1\r\n"
    "[    7.312000] Call Trace:\r\n"
    "[    7.313000]  panic+0x335/0x340\r\n"
    "[    7.320000] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---\r\n";

}  // namespace

TEST_CASE("console reader: a panic is told at once, and again with its lines", "[host][console]") {
  ConsoleReader reader;
  const auto split = panic_text.find("[    7.311000]");
  const auto first = findings(reader.feed(panic_text.substr(0, split), 1000));
  REQUIRE(first.size() == 1);
  CHECK(first[0].kind == ConsoleKind::panic);
  CHECK(first[0].captured.at("text") == "sysrq triggered crash");
  CHECK(first[0].kernel_us == 7'310'862);
  CHECK(reader.open());
  const auto second = findings(reader.feed(panic_text.substr(split), 2000));
  REQUIRE(second.size() == 1);
  CHECK(second[0].lines.size() == 4);
  CHECK(second[0].lines[1] == "Call Trace:");
  CHECK_FALSE(reader.open());
}

TEST_CASE("console reader: byte by byte it finds the same", "[host][console]") {
  ConsoleReader whole, bytes;
  auto expected = findings(whole.feed(panic_text, 1000));
  std::vector<ConsoleFinding> found;
  for (const char each : panic_text)
    for (auto& finding : findings(bytes.feed(std::string_view(&each, 1), 1000))) found.push_back(std::move(finding));
  CHECK(found == expected);
}

TEST_CASE("console reader: a VM that dies within its trace still tells it, at the end of the console", "[host][console]") {
  ConsoleReader reader;
  const auto oops = findings(
      reader.feed("[   11.0] x\n[   11.000002] Oops: Oops: 0002 [#1] SMP NOPTI\n[   11.000003] RIP: 0010:bad_init+0x1/0x10\n", 1000));
  CHECK(oops.empty());
  CHECK(reader.open());
  const auto rest = findings(reader.finish(2000));
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].kind == ConsoleKind::oops);
  CHECK(rest[0].lines == std::vector<std::string>{"RIP: 0010:bad_init+0x1/0x10"});
}

TEST_CASE("console reader: an oops that becomes a panic is both", "[host][console]") {
  ConsoleReader reader;
  auto found =
      findings(reader.feed("[    1.000001] BUG: kernel NULL pointer dereference, address: 0000000000000000\n"
                           "[    1.000002] Oops: Oops: 0002 [#1] SMP NOPTI\n"
                           "[    1.000003] Kernel panic - not syncing: Fatal exception\n",
                           1000));
  for (auto& finding : findings(reader.flush())) found.push_back(std::move(finding));
  REQUIRE(found.size() == 2);
  CHECK(found[0].kind == ConsoleKind::bug);
  CHECK(found[0].lines == std::vector<std::string>{"Oops: Oops: 0002 [#1] SMP NOPTI"});
  CHECK(found[1].kind == ConsoleKind::panic);
}

TEST_CASE("console reader: what a program prints without the kernel's prefix is no finding", "[host][console]") {
  ConsoleReader reader;
  CHECK(reader.feed("Kernel panic - not syncing: pretended\nOut of memory: Killed process 1 (x)\n", 1000).empty());
}

TEST_CASE("console reader: a flood is counted, not told one by one", "[host][console]") {
  ConsoleReader reader;
  std::vector<ConsoleFinding> found;
  constexpr std::uint64_t lines = 20'000;
  MonoUs now = 1'000'000;
  for (std::uint64_t i = 0; i < lines; ++i) {
    now += 100;                                  // 10,000 lines a second for two seconds
    for (auto& finding : findings(reader.feed("[    5.000000] EXT4-fs error (device vdb): x\n", now))) found.push_back(std::move(finding));
  }
  for (auto& finding : findings(reader.finish(now))) found.push_back(std::move(finding));
  CHECK(found.size() <= 8 + 2 + 4);
  CHECK(counted(found, ConsoleKind::filesystem_error) == lines);
}

TEST_CASE("console reader: a flood of one kind does not hide another", "[host][console]") {
  ConsoleReader reader;
  std::string flood;
  for (int i = 0; i < 1000; ++i) flood += "[    5.000000] EXT4-fs error (device vdb): x\n";
  flood += "[    5.000001] Kernel panic - not syncing: x\n";
  CHECK(counted(findings(reader.feed(flood, 1'000'000)), ConsoleKind::panic) == 1);
}

TEST_CASE("console reader: digests become partial reports of the console", "[host][console]") {
  ConsoleReader reader;
  const BootId boot("0a1b2c3d-0000-4000-8000-000000000001");
  protocol::ServiceReport service;
  service.name = ServiceName("web");
  service.state = protocol::ServiceState::ready;
  std::string bytes = "[    5.000000] noise";
  for (const auto& record : console::make_records(boot, 17, protocol::encode_digest(service))) bytes += record;
  const auto events = reader.feed(bytes, 1000);
  REQUIRE(events.size() == 1);
  const auto* reported = std::get_if<Reported>(&events[0]);
  REQUIRE(reported != nullptr);
  CHECK(reported->partial);
  CHECK(reported->channel == machine::Channel::console);
  CHECK(reported->report.boot == BootId("0a1b2c3d"));
  CHECK(reported->report.seq == 17);
  CHECK(std::get<protocol::ServiceReport>(reported->report.body).name == ServiceName("web"));
}

TEST_CASE("console reader: more digests than their rate are counted", "[host][console]") {
  ConsoleReader reader;
  std::string bytes;
  for (Seq seq = 1; seq <= 500; ++seq)
    for (const auto& record :
         console::make_records(BootId("0a1b2c3d-0000-4000-8000-000000000001"), seq, protocol::encode_digest(protocol::ByeReport{})))
      bytes += record;
  const auto events = reader.feed(bytes, 1'000'000);
  CHECK(events.size() == 200);
  CHECK(reader.digests_dropped() == 300);
}

TEST_CASE("console reader: keeps the last plain lines for verdicts", "[host][console]") {
  ConsoleReader reader;
  for (int i = 0; i < 100; ++i) reader.feed("line " + std::to_string(i) + "\n", 1000);
  const auto tail = reader.tail();
  REQUIRE(tail.size() == 50);
  CHECK(tail.back() == "line 99");
}

}  // namespace vigil::console
