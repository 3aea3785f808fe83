#include "guest/evidence/oom_watch.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vigil::guest::evidence {
namespace {

constexpr const char* by_limit =
    "6,812,45123456,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=hog,mems_allowed=0,oom_memcg=/vigil/hog,task_memcg=/vigil/hog,task=ta,il,pid=123,uid=0\n";
constexpr const char* whole_vm =
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/vigil/web,task=node,pid=77,uid=33";

TEST_CASE("oom: the kernel's record gives victim and cgroup, also when the name holds a comma", "[guest][evidence]") {
  const auto record = parse_oom_record(by_limit);
  REQUIRE(record);
  CHECK(record->pid == 123);
  CHECK(record->comm == "ta,il");
  CHECK(record->cgroup == "/vigil/hog");
  CHECK(victim_text(*record) == "ta,il (pid 123)");
}

TEST_CASE("oom: when the whole VM is short of memory no cgroup is named", "[guest][evidence]") {
  const auto record = parse_oom_record(whole_vm);
  REQUIRE(record);
  CHECK(record->cgroup.empty());
  CHECK(record->pid == 77);
}

TEST_CASE("oom: other records are none", "[guest][evidence]") {
  for (const char* line : {"", "Memory cgroup out of memory: Killed process 123 (tail)", "oom-kill:constraint=CONSTRAINT_MEMCG", "oom-kill:constraint=X,task=a,pid=",
                           "oom-kill:constraint=X,pid=5,task=a"})
    CHECK_FALSE(parse_oom_record(line));
}

TEST_CASE("oom: counters are found by their whole name", "[guest][evidence]") {
  const char* events = "low 0\nhigh 1\nmax 22\noom 3\noom_kill 4\noom_group_kill 5\n";
  CHECK(keyed_counter(events, "oom") == 3);
  CHECK(keyed_counter(events, "oom_kill") == 4);
  CHECK(keyed_counter(events, "oom_k") == 0);
  CHECK(keyed_counter("", "oom") == 0);
}

TEST_CASE("oom: only what grew since the baseline is evidence, with limit, peak and victim", "[guest][evidence]") {
  char name[] = "/tmp/vigil-test-XXXXXX";
  REQUIRE(mkdtemp(name) != nullptr);
  const std::string directory = name;
  const auto write = [&](const char* file, const char* text) { std::ofstream(directory + file) << text; };
  KernelOomLog log("/nonexistent");
  write("/memory.events", "oom_kill 2\n");
  write("/memory.max", "25165824\n");
  write("/memory.peak", "25161728\n");
  OomWatch watch(directory);
  watch.take_baseline();
  CHECK_FALSE(watch.since_baseline(log, {9, "tail", {}}));
  write("/memory.events", "oom_kill 3\n");
  const auto evidence = watch.since_baseline(log, {9, "tail", {}});
  REQUIRE(evidence);
  CHECK(*evidence == protocol::OomEvidence{25165824, 25161728, "tail (pid 9)", 1});
  write("/memory.max", "max\n");
  CHECK_FALSE(watch.since_baseline(log, {9, "tail", {}}));
  CHECK_FALSE(OomWatch().since_baseline(log, {9, "tail", {}}));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace vigil::guest::evidence
