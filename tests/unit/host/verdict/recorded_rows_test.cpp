// Every row of the fault laboratory, as it was recorded (tests/golden/faultlab): its evidence gives its cause, and without what carries the cause neither the cause is named nor
// a neighbour that the evidence does not support.
//
// Shape:  what carries it are the reports that hold the cause's code, or, where the host concludes it, each kind of event in turn; `weaker` says what true statement remains.
#include "tests/unit/host/verdict/recording.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>

#include <algorithm>
#include <map>

namespace vigil::machine {

using test::RecordedRow;
using Codes = std::set<std::string>;

namespace {

/// True beside the named cause, or before it, by evidence of its own.
const std::map<std::string, Codes> beside = {
    {"both-channels-dead", {"host.starved", "vmm.device_died"}},
    {"dependency-failed", {"service.exited"}},
    {"dependency-not-ready", {"service.dependency_failed"}},
    {"device-stopped", {"host.starved"}},
    {"dies-of-a-refusal", {"egress.denied"}},
    {"exits-every-five-seconds", {"service.exited"}},
    {"exits-in-a-loop", {"service.exited"}},
    {"init-absent", {"guest.reboot_unasked"}},  // the kernel does restart after its panic
    {"init-elsewhere", {"guest.reboot_unasked"}},
    {"init-exits", {"guest.reboot_unasked"}},
    {"init-not-executable", {"guest.reboot_unasked"}},
    {"initramfs-garbled", {"guest.reboot_unasked"}},
    {"memory-of-the-vm", {"guest.memory_low"}},
    {"memory-panics", {"guest.reboot_unasked"}},
    {"panic-of-a-quiet-kernel", {"boot.console_disabled"}},  // it was told to print nothing
    {"panic-on-hung-task", {"guest.hung_task"}},
    {"panic-on-oops", {"guest.oops"}},
    {"reboots-for-ever", {"guest.reboot_unasked"}},
    {"signals-in-a-loop", {"service.signalled"}},
    {"unit-ends-well-for-ever", {"service.exited"}},
    {"unit-failed", {"service.exited"}},
    {"unit-start-limit", {"service.exited"}},
};

/// What the rest of the evidence still supports when what carries the cause is gone.
const std::map<std::string, Codes> weaker = {
    {"agent-dies", {"guest.reboot_unasked"}},  // process 1 ended, so the kernel did restart
    {"init-absent", {"boot.panic"}},  // without the kernel's line that it looked for a root
    {"init-elsewhere", {"boot.panic"}},
    {"initramfs-garbled", {"boot.init_missing"}},  // without the kernel's word that it could not unpack: it found no init there
    {"panic", {"boot.panic"}},  // without the stages, here and in the next four: nothing says that it had been ready
    {"console-flooded-panic", {"boot.panic"}},
    {"panic-of-a-quiet-kernel", {"boot.panic"}},
    {"panic-on-hung-task", {"boot.panic"}},
    {"panic-on-oops", {"boot.panic"}},
    {"module-damaged", {"boot.stage_stalled"}},  // the stage did not end, whatever it waited for
};

Codes codes_in(const std::map<std::string, Codes>& table, const std::string& row) {
  const auto found = table.find(row);
  return found == table.end() ? Codes{} : found->second;
}

/// Codes that are neither the row's own nor allowed.
Codes surplus(const Codes& said, const std::vector<Codes>& allowed) {
  Codes rest = said;
  for (const auto& codes : allowed)
    for (const auto& code : codes) rest.erase(code);
  return rest;
}

void check_without(const RecordedRow& row, const Codes& with, const Codes& without) {
  CHECK(surplus(without, {with, codes_in(weaker, row.name)}) == Codes{});
}

/// The guest named it: its reports are the evidence, and what the kernel said of the same on the console.
void check_reports(const RecordedRow& row, const Codes& with) {
  const auto without =
      row.said([&](const test::RecordedEvent& event) { return event.carries(row.code) || event.kind.starts_with("console_finding"); });
  CHECK_FALSE(without.contains(row.code));
  check_without(row, with, without);
}

/// The host concluded it: no kind of event may be replaced by a guess, and without all of them there is nothing.
void check_kinds(const RecordedRow& row, const Codes& with) {
  bool needs_one = false;
  for (const auto& kind : row.kinds()) {
    INFO("without " << kind);
    const auto without = row.said([&](const test::RecordedEvent& event) { return event.kind == kind; });
    needs_one |= !without.contains(row.code);
    check_without(row, with, without);
  }
  const auto all = row.kinds();
  CHECK_FALSE(row.said([&](const test::RecordedEvent& event) { return all.contains(event.kind); }).contains(row.code));
  CHECK((needs_one || codes_in(weaker, row.name).contains("two kinds of evidence")));
}

}  // namespace

TEST_CASE("recorded rows: each is named with its evidence, and no neighbour without it", "[host][verdict][golden]") {
  const auto rows = test::recorded_rows();
  REQUIRE(rows.size() > 180);
  auto row = rows[GENERATE_COPY(range(std::size_t{0}, rows.size()))];
  row.load();
  INFO(row.name << ": " << row.code);
  const auto with = row.said();
  CHECK(row.names_its_cause());
  CHECK(surplus(with, {{row.code}, codes_in(beside, row.name)}) == Codes{});
  if (row.is_reported())
    check_reports(row, with);
  else
    check_kinds(row, with);
}

}  // namespace vigil::machine
