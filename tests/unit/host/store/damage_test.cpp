// Files that were cut off or have flipped bits, of any kind: refused with the reason, or read as what they are; never begun anew, never half of a transaction.
#include "host/machine/state_codec.hpp"
#include "host/store/rebuild.hpp"
#include "host/store/restore.hpp"
#include "host/store/store.hpp"
#include "tests/unit/host/machine/story.hpp"
#include "tests/unit/host/store/scratch.hpp"
#include "tests/unit/host/store/tables.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace vigil::machine {
using namespace vigil::machine::test;

using store::Store;

namespace {

namespace fs = std::filesystem;

std::string bytes_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void put_bytes(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes; }

constexpr std::uint64_t told_batches = 40;

/// An instance and its reports, one transaction each; what the log holds is known.
void tell_story(Store& store) {
  for (std::uint64_t seq = 0; seq < told_batches; ++seq) {
    auto batch = store.begin();
    auto event = seq == 0 ? make_event(0, 0, Created{make_spec()})
                          : make_event(0, seq, make_report(seq, make_stage(Stage::rootfs, StageReport::Phase::done, std::string(200, 'x'))));
    batch.add(event);
    REQUIRE(batch.commit().has_value());
  }
}

void flip_bits(std::string& bytes, std::mt19937& random) {
  for (auto count = 1 + random() % 8; count > 0; --count) bytes[random() % bytes.size()] ^= static_cast<char>(1U << random() % 8);
}

/// All that it holds, or why it cannot be read; anything but a crash is right.
void read_all(const Store& store) {
  const auto rows = store.instances();
  if (!rows) return;
  for (const auto& row : *rows) {
    const auto history = store.history(row.id);
    if (history) CHECK(history->events.size() + history->skipped <= told_batches);
  }
  (void)store.acknowledged(vm_id, RunNumber(1), 0, boot_id);
}

}  // namespace

TEST_CASE("damage: a store with flipped bits or a lost end is refused by name, or read; it is never begun anew",
          "[host][store][property]") {
  const auto seed = GENERATE(range(1U, 121U));
  CAPTURE(seed);
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  tell_story(**Store::open(path));
  std::mt19937 random(seed);
  auto bytes = bytes_of(path);
  REQUIRE(bytes.size() > 20'000);
  if (seed % 3 == 0)
    bytes.resize(random() % bytes.size());
  else
    flip_bits(bytes, random);
  put_bytes(path, bytes);
  {
    const auto opened = Store::open(path);
    if (opened) {
      read_all(**opened);
    } else {
      const auto& refused = opened.error();
      CHECK((refused.code() == Errc::io || refused.code() == Errc::unsupported));
      CHECK(refused.message().find(path) != std::string::npos);
      CHECK(bytes_of(path) == bytes);
    }
  }
  CHECK(fs::file_size(path) >= bytes.size());
  CHECK_FALSE(fs::exists(path + ".new"));
  (void)store::compare_projections(path, store::Repair::none);  // says what it can, or why not
}

TEST_CASE("damage: a bit that flips in the text of an event is found wherever the event is read", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  tell_story(**Store::open(path));
  auto bytes = bytes_of(path);
  const auto place = bytes.find(std::string(100, 'x'));
  REQUIRE(place != std::string::npos);
  bytes[place + 50] = 'y';
  put_bytes(path, bytes);
  {
    const auto opened = Store::open(path);
    REQUIRE(opened.has_value());            // SQLite sees nothing
    const auto history = (*opened)->history(vm_id);
    REQUIRE_FALSE(history.has_value());
    CHECK(history.error().code() == Errc::io);
    CHECK(history.error().message().find("is not as it was written") != std::string::npos);
    CHECK(history.error().message().find(vm_id.value()) != std::string::npos);
    CHECK_FALSE((*opened)->events({}).has_value());
    CHECK_FALSE(store::restore_state(**opened, vm_id).has_value());
  }
  CHECK_FALSE(store::compare_projections(path, store::Repair::replace_tables).has_value());
}

TEST_CASE("damage: a snapshot that is damaged, of another version or another VM's is not used, and nothing is lost by it", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  {
    const auto store = std::move(*Store::open(path));
    tell_story(*store);
    const auto whole = store::restore_state(*store, vm_id);
    REQUIRE(whole.has_value());
    CHECK(whole->replayed == told_batches);
    REQUIRE(store->keep_snapshot(vm_id, {whole->state.last_seq, encode_state(whole->state)}).has_value());
    const auto shorter = store::restore_state(*store, vm_id);
    REQUIRE(shorter.has_value());
    CHECK(shorter->replayed == 0);
    CHECK(shorter->state == whole->state);
    CHECK_FALSE(store->keep_snapshot(InstanceId("vm-9999999999"), {1, "{}"}).has_value());
  }
  const auto* const change = GENERATE("body = replace(body, '\"last_seq\":', '\"last_seq\": ')", "seq = seq - 1", "sum = sum + 1", "body = '{}'");
  CAPTURE(change);
  vigil::test::Sql(path).run(std::string("UPDATE snapshots SET ") + change);
  const auto store = std::move(*Store::open(path));
  const auto restored = store::restore_state(*store, vm_id);
  REQUIRE(restored.has_value());
  CHECK(restored->replayed == told_batches);
}

TEST_CASE("damage: a rebuild forgets the snapshots", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  {
    const auto store = std::move(*Store::open(path));
    tell_story(*store);
    REQUIRE(store->keep_snapshot(vm_id, {3, "{}"}).has_value());
  }
  REQUIRE(store::compare_projections(path, store::Repair::none).has_value());
  CHECK((*Store::open(path))->snapshot(vm_id)->has_value());
  REQUIRE(store::compare_projections(path, store::Repair::replace_tables).has_value());
  CHECK_FALSE((*Store::open(path))->snapshot(vm_id)->has_value());
}

TEST_CASE("damage: a truncated store is always refused", "[host][store][property]") {
  const auto seed = GENERATE(range(1U, 41U));
  CAPTURE(seed);
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  tell_story(**Store::open(path));
  const auto whole = bytes_of(path);
  std::mt19937 random(seed);
  const auto cut = whole.substr(0, random() % whole.size());
  put_bytes(path, cut);
  const auto opened = Store::open(path);
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().message().find(path) != std::string::npos);
  CHECK(bytes_of(path) == cut);
}

TEST_CASE("damage: of a write-ahead log with flipped bits or a lost end whole transactions are left, from the first on",
          "[host][store][property]") {
  const auto seed = GENERATE(range(1U, 61U));
  CAPTURE(seed);
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db", damaged = scratch / "damaged.db";
  {
    const auto store = std::move(*Store::open(path));
    tell_story(*store);
    fs::copy_file(path, damaged);  // as a power loss leaves them
    auto log = bytes_of(path + "-wal");
    REQUIRE(log.size() > 20'000);
    std::mt19937 random(seed);
    if (seed % 2 == 0)
      log.resize(random() % log.size());
    else
      flip_bits(log, random);
    put_bytes(damaged + "-wal", log);
  }
  const auto opened = Store::open(damaged);
  if (!opened) {
    CHECK(opened.error().message().find(damaged) != std::string::npos);
    return;
  }
  const auto newest = (*opened)->newest_seq();
  CHECK(newest <= told_batches);
  const auto all = (*opened)->events({});
  REQUIRE(all.has_value());
  REQUIRE(all->size() == newest);  // no hole
  if (newest > 0) CHECK((*opened)->acknowledged(vm_id, RunNumber(1), 0, boot_id) == newest - 1);
  const auto report = store::compare_projections(damaged, store::Repair::none);
  if (!report) FAIL(report.error().message());
  CHECK(report->differences.empty());
}

}  // namespace vigil::machine
