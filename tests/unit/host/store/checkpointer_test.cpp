// The write-ahead log is taken into the file beside the commits: it begins anew while they go on, and whoever is killed at any moment of it has lost nothing.
#include "host/store/rebuild.hpp"
#include "host/store/store.hpp"
#include "tests/unit/host/machine/story.hpp"
#include "tests/unit/host/store/scratch.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <fstream>
#include <random>

#include <sys/wait.h>
#include <unistd.h>

namespace vigil::machine {
using namespace vigil::machine::test;

using store::Store;

namespace {

constexpr std::uint64_t max_batches = 100'000;

/// One transaction of a few pages; false: it was not stored.
bool put_batch(Store& store, std::uint64_t seq) {
  auto batch = store.begin();
  auto event = seq == 0 ? make_event(0, 0, Created{make_spec()})
                        : make_event(0, seq, make_report(seq, make_stage(Stage::rootfs, StageReport::Phase::done, std::string(3000, 'x'))));
  batch.add(event);
  return batch.commit().has_value();
}

/// Changes when the log begins anew. Source: https://www.sqlite.org/fileformat2.html, "The Write-Ahead Log": 8 bytes at 16.
std::string salt_of(const std::string& path) {
  std::string salt(8, '\0');
  std::ifstream log(path + "-wal", std::ios::binary);
  log.seekg(16);
  log.read(salt.data(), static_cast<std::streamsize>(salt.size()));
  return salt;
}

/// All that was committed, without a hole, and the tables that follow from it.
void check_whole(const std::string& path, std::uint64_t committed) {
  {
    const auto opened = Store::open(path);
    if (!opened) FAIL(opened.error().message());
    const auto newest = (*opened)->newest_seq();
    CHECK(newest >= committed);
    const auto all = (*opened)->events({.after = 0, .instance = {}, .run = {}, .limit = max_batches + 1});
    REQUIRE(all.has_value());
    CHECK(all->size() == newest);
  }
  const auto report = store::compare_projections(path, store::Repair::none);
  if (!report) FAIL(report.error().message());
  CHECK(report->differences.empty());
}

[[noreturn]] void commit_until_killed(const std::string& path, int told) {
  auto store = Store::open(path);
  if (!store) ::_exit(1);
  for (std::uint64_t seq = 0; seq < max_batches; ++seq) {
    if (!put_batch(**store, seq) || ::write(told, "x", 1) != 1) ::_exit(2);
  }
  ::_exit(3);
}

}  // namespace

TEST_CASE("checkpointer: the log begins anew while commits go on, and all of it is in the file", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  std::uint64_t committed = 0;
  {
    const auto store = std::move(*Store::open(path));
    int begun = 0;
    std::string salt;
    while (begun < 4 && committed < max_batches) {
      REQUIRE(put_batch(*store, committed++));
      if (auto now = salt_of(path); now != salt) {
        salt = std::move(now);
        ++begun;
      }
    }
    CHECK(begun == 4);
  }
  check_whole(path, committed);
}

TEST_CASE("checkpointer: a process that is killed at any moment has lost nothing that it had committed", "[host][store][property]") {
  const auto seed = GENERATE(range(1U, 13U));
  CAPTURE(seed);
  std::mt19937 random(seed);
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) commit_until_killed(path, ends[1]);
  ::close(ends[1]);
  const auto wanted = 1 + random() % 4000;
  std::uint64_t committed = 0;
  for (char word = 0; committed < wanted && ::read(ends[0], &word, 1) == 1;) ++committed;
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  for (char word = 0; ::read(ends[0], &word, 1) == 1;) ++committed;
  ::close(ends[0]);
  CHECK(committed >= wanted);
  check_whole(path, committed);
}

}  // namespace vigil::machine
