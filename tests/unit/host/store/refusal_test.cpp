// Files that must not be used, and disks that are full.
#include "host/store/store.hpp"
#include "tests/unit/host/machine/story.hpp"
#include "tests/unit/host/store/scratch.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <sstream>

namespace vigil::machine {
using namespace vigil::machine::test;

using store::Store;

namespace {

void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &handle) == SQLITE_OK);
  CHECK(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(handle);
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void write_file(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

VmEvent numbered_report(Seq seq, std::size_t bytes) {
  CrashReport crash;
  crash.crash = "a-" + std::to_string(seq);
  crash.cause = make_cause(CauseCode::service_exited);
  crash.stderr_tail = std::string(bytes, 'x');
  return make_event(0, 1, make_report(seq, crash));
}

void make_store(const std::string& path, Seq reports) {
  auto store = Store::open(path);
  REQUIRE(store.has_value());
  auto batch = (*store)->begin();
  auto created = make_event(0, 0, Created{make_spec()});
  batch.add(created);
  for (Seq seq = 1; seq <= reports; ++seq) {
    auto event = numbered_report(seq, 500);
    batch.add(event);
  }
  REQUIRE(batch.commit().has_value());
}

/// No file of this process may grow over `bytes` while this lives: writes then fail (EFBIG).
class FileSizeLimit {
public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("store: a file of a newer version is refused and left alone", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  make_store(path, 1);
  run_sql(path, "PRAGMA user_version=99");
  const auto before = content_of(path);
  const auto opened = Store::open(path);
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().code() == Errc::unsupported);
  CHECK(opened.error().message().find("newer version") != std::string::npos);
  CHECK(content_of(path) == before);
}

TEST_CASE("store: somebody else's database, other bytes and an empty file are refused and left alone", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  SECTION("a database of something else") { run_sql(path, "CREATE TABLE t(a); INSERT INTO t VALUES(1)"); }
  SECTION("no database at all") { write_file(path, std::string(8192, 'x')); }
  SECTION("cut to nothing") { write_file(path, ""); }
  const auto before = content_of(path);
  const auto opened = Store::open(path);
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().code() == Errc::io);
  CHECK(opened.error().message().find(path) != std::string::npos);
  CHECK(content_of(path) == before);
}

TEST_CASE("store: a truncated or scribbled file is refused, never begun anew", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  make_store(path, 200);
  auto bytes = content_of(path);
  REQUIRE(bytes.size() > 100'000);
  SECTION("truncated") { bytes.resize(bytes.size() / 2); }
  SECTION("a page in the middle overwritten") { bytes.replace(bytes.size() / 2 & ~std::size_t{4095}, 4096, std::string(4096, '\xee')); }
  SECTION("the first page overwritten behind its header") { bytes.replace(100, 2000, std::string(2000, '\xee')); }
  write_file(path, bytes);
  const auto opened = Store::open(path);
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().code() == Errc::io);
  CHECK(content_of(path) == bytes);
}

TEST_CASE("store: a directory that is not there is named", "[host][store]") {
  const auto opened = Store::open("/nowhere/vigil.db");
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().message().find("/nowhere/vigil.db") != std::string::npos);
}

TEST_CASE("store: a half made new store does not stand in the way", "[host][store]") {
  const vigil::test::Scratch scratch;
  write_file(scratch / "vigil.db.new", "rubbish of a start that was cut off");
  CHECK(Store::open(scratch / "vigil.db").has_value());
}

TEST_CASE("store: a refused write fails the batch as a whole, and the same batch succeeds when there is room again", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  make_store(path, 1);
  auto store = Store::open(path);
  REQUIRE(store.has_value());
  auto batch = (*store)->begin();
  for (Seq seq = 2; seq <= 20; ++seq) {
    auto event = numbered_report(seq, 30'000);
    REQUIRE(batch.add(event).kind == store::Admission::Kind::accepted);
  }
  {
    const FileSizeLimit full(200'000);
    const auto refused = batch.commit();
    REQUIRE_FALSE(refused.has_value());
    CHECK((*store)->newest_seq() == 2);
    CHECK((*store)->events({.after = 2, .instance = {}, .run = {}, .limit = 100})->empty());
    CHECK((*store)->acknowledged(vm_id, RunNumber(1), 0, boot_id) == 1);
  }
  REQUIRE(batch.commit().has_value());
  CHECK((*store)->newest_seq() == 21);
  CHECK((*store)->acknowledged(vm_id, RunNumber(1), 0, boot_id) == 20);
  const auto history = (*store)->history(vm_id);
  CHECK(history->events.size() == 21);
  CHECK(history->skipped == 0);
}

TEST_CASE("store: after a refused write a smaller batch still fits, and the file is sound", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto path = scratch / "vigil.db";
  make_store(path, 1);
  {
    auto store = Store::open(path);
    REQUIRE(store.has_value());
    const FileSizeLimit full(120'000);
    {
      auto batch = (*store)->begin();
      for (Seq seq = 2; seq <= 20; ++seq) {
        auto event = numbered_report(seq, 30'000);
        batch.add(event);
      }
      CHECK_FALSE(batch.commit().has_value());
    }
    auto batch = (*store)->begin();
    auto event = numbered_report(2, 10);
    CHECK(batch.add(event).kind == store::Admission::Kind::accepted);
    CHECK(batch.commit().has_value());
  }
  auto store = Store::open(path);
  REQUIRE(store.has_value());
  CHECK((*store)->newest_seq() == 3);
}

TEST_CASE("store: a disk that is really full is called so, and nothing of the batch is there", "[host][store]") {
  const vigil::test::Scratch scratch;
  const auto mount_point = scratch / "small";
  REQUIRE(::mkdir(mount_point.c_str(), 0700) == 0);
  // A mount of this process alone; it goes with it.
  const bool is_alone = ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  if (!is_alone || ::mount("none", mount_point.c_str(), "tmpfs", 0, "size=1m") != 0) SKIP("a file system of a fixed size needs root");
  const auto path = mount_point + "/vigil.db";
  make_store(path, 1);
  {
    auto store = Store::open(path);
    REQUIRE(store.has_value());
    {
      auto batch = (*store)->begin();
      for (Seq seq = 2; seq <= 60; ++seq) {
        auto event = numbered_report(seq, 30'000);
        batch.add(event);
      }
      const auto refused = batch.commit();
      REQUIRE_FALSE(refused.has_value());
      INFO(refused.error().message());
      CHECK(store::is_disk_full(refused.error()));
      CHECK(refused.error().message().find(path) != std::string::npos);
    }
    CHECK((*store)->newest_seq() == 2);
    auto batch = (*store)->begin();
    auto event = numbered_report(2, 10);
    batch.add(event);
    CHECK(batch.commit().has_value());
  }
  CHECK((*Store::open(path))->newest_seq() == 3);
  ::umount2(mount_point.c_str(), MNT_DETACH);
}

}  // namespace vigil::machine
