// v1, v2 and hybrid hosts are told apart, and a real group counts what runs in it where this machine lets us make one.
#include "host/cgroup/cgroup.hpp"
#include "host/cgroup/leaf.hpp"
#include "host/cgroup/membership.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>

namespace vigil::cgroup {

namespace {

std::string mounts_v1(const std::string& root) {
  return "cgroup " + root + "/memory cgroup rw,nosuid,memory 0 0\n"
         "cgroup " + root + "/cpu cgroup rw,cpu,cpuacct 0 0\n"
         "cgroup " + root + "/pids cgroup rw,pids 0 0\n"
         "cgroup2 " + root + "/unified cgroup2 rw,nsdelegate 0 0\n";
}

void write(const std::filesystem::path& path, const std::string& text) { std::ofstream(path) << text; }

}  // namespace

TEST_CASE("cgroup: a hybrid host is v1, for there its controllers are", "[host][cgroup]") {
  const test::TemporaryDirectory root;
  std::filesystem::create_directories(root.path() / "memory/user/me");
  std::filesystem::create_directories(root.path() / "cpu");
  const auto found = parse_membership(mounts_v1(root.path().string()), "4:memory:/user/me\n2:cpu,cpuacct:/gone\n8:pids:/\n0::/user\n");
  REQUIRE(found);
  CHECK(found->version == Version::v1);
  CHECK(found->directories.at("memory") == (root.path() / "memory/user/me").string());
  CHECK(found->directories.at("cpuacct") == (root.path() / "cpu").string());   // its path is not to be seen from here
  CHECK(found->directories.at("pids") == (root.path() / "pids").string());
  CHECK(found->directories.size() == 3);
}

TEST_CASE("cgroup: v2 alone, and nothing at all", "[host][cgroup]") {
  const test::TemporaryDirectory root;
  std::filesystem::create_directories(root.path() / "system.slice/vigil.service");
  const std::string mounts = "cgroup2 " + root.path().string() + " cgroup2 rw 0 0\n/dev/vda / ext4 rw 0 0\n";
  const auto found = parse_membership(mounts, "0::/system.slice/vigil.service\n");
  REQUIRE(found);
  CHECK(found->version == Version::v2);
  CHECK(found->directories == std::map<std::string, std::string>{{"", (root.path() / "system.slice/vigil.service").string()}});
  CHECK(parse_membership("/dev/vda / ext4 rw 0 0\n", "0::/\n").error().code() == Errc::unsupported);
}

TEST_CASE("cgroup: v2's files are read as the kernel writes them", "[host][cgroup]") {
  const test::TemporaryDirectory root;
  write(root.path() / "mounts", "cgroup2 " + (root.path() / "cg").string() + " cgroup2 rw 0 0\n");
  write(root.path() / "self", "0::/\n");
  std::filesystem::create_directories(root.path() / "cg/vigil-x");
  write(root.path() / "cg/vigil-x/cpu.stat", "usage_usec 123456\nuser_usec 1\n");
  write(root.path() / "cg/vigil-x/memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 0\n");
  const auto group = make_group("vigil-x", (root.path() / "mounts").string(), (root.path() / "self").string());
  REQUIRE(group);
  CHECK((*group)->version() == Version::v2);
  CHECK((*group)->cpu_us() == 123456u);
  CHECK((*group)->oom_kills() == 2u);
  CHECK_FALSE((*group)->memory_bytes());   // a host without the memory controller
}

TEST_CASE("cgroup: a real group counts a real process", "[host][cgroup]") {
  auto group = make_group("vigil-test-" + std::to_string(::getpid()));
  if (!group) SKIP(group.error().message());
  const pid_t child = ::fork();
  if (child == 0) {
    if (!(*group)->add(0)) ::_exit(1);
    volatile unsigned long sum = 0;
    for (unsigned long i = 0; i < 20'000'000; ++i) sum = sum + i;
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  if (status != 0) {
    CHECK((*group)->remove());
    SKIP("processes may not be moved here");
  }
  CHECK((*group)->cpu_us().value_or(1) > 0);
  CHECK((*group)->oom_kills().value_or(0) == 0);
  CHECK((*group)->remove());
}

TEST_CASE("cgroup: groups that a killed shim left are swept, those in use and those of others are not", "[host][cgroup]") {
  const test::TemporaryDirectory root;
  write(root.path() / "mounts", "cgroup2 " + (root.path() / "cg").string() + " cgroup2 rw 0 0\n");
  write(root.path() / "self", "0::/\n");
  for (const std::string name : {"vigil-vm-a-1", "vigil-vm-a-2", "vigil-vm-b-1"}) std::filesystem::create_directories(root.path() / "cg" / name);
  write(root.path() / "cg/vigil-vm-a-2/in-use", "");   // rmdir refuses it, as the kernel refuses a group with processes
  sweep_groups("vigil-vm-a-", (root.path() / "mounts").string(), (root.path() / "self").string());
  CHECK_FALSE(std::filesystem::exists(root.path() / "cg/vigil-vm-a-1"));
  CHECK(std::filesystem::exists(root.path() / "cg/vigil-vm-a-2"));
  CHECK(std::filesystem::exists(root.path() / "cg/vigil-vm-b-1"));
}

namespace {

/// A group as systemd delegates it: files of the kernel's names on a plain file system, marked by the attribute. False: attributes cannot be set here.
bool make_delegated(const std::filesystem::path& group) {
  std::filesystem::create_directories(group / "vigild");
  write(group / "cgroup.controllers", "cpuset cpu io memory pids\n");
  write(group / "cgroup.subtree_control", "");
  write(group / "vigild/cgroup.procs", "");
  return ::setxattr(group.c_str(), "user.delegate", "1", 1, 0) == 0 || ::setxattr(group.c_str(), "trusted.delegate", "1", 1, 0) == 0;
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("cgroup: a daemon in a delegated group moves into its leaf, and groups of runs are made beside it", "[host][cgroup]") {
  const test::TemporaryDirectory root;
  const auto group = root.path() / "cg/system.slice/vigild.service";
  if (!make_delegated(group)) SKIP("extended attributes cannot be set in " + root.path().string());
  const auto mounts = (root.path() / "mounts").string(), self = (root.path() / "self").string();
  write(mounts, "cgroup2 " + (root.path() / "cg").string() + " cgroup2 rw 0 0\n");

  write(self, "0::/system.slice/vigild.service\n");
  const auto entered = enter_leaf(mounts, self);
  REQUIRE(entered);
  CHECK(entered->state == LeafState::entered);
  CHECK(entered->path == group.string());
  CHECK(text_of(group / "vigild/cgroup.procs") == std::to_string(::getpid()));
  CHECK(text_of(group / "cgroup.subtree_control").empty());   // the service manager could not start the next daemon in it

  write(self, "0::/system.slice/vigild.service/vigild\n");
  const auto born = enter_leaf(mounts, self);
  REQUIRE(born);
  CHECK(born->state == LeafState::born_in);
  CHECK(born->controllers == std::vector<std::string>{"cpu", "io", "memory", "pids"});
  CHECK(text_of(group / "cgroup.subtree_control").starts_with("+"));
  REQUIRE(make_group("vigil-vm-a-1", mounts, self));
  CHECK(std::filesystem::is_directory(group / "vigil-vm-a-1"));
  CHECK(groups_below("vigil-", mounts, self) == std::vector<std::string>{"vigil-vm-a-1"});   // and not the leaf
  sweep_groups("vigil-vm-a-", mounts, self);
  CHECK_FALSE(std::filesystem::exists(group / "vigil-vm-a-1"));
}

TEST_CASE("cgroup: a group that nobody delegated is left as it is", "[host][cgroup]") {
  const test::TemporaryDirectory root;
  std::filesystem::create_directories(root.path() / "cg/user.slice/vigild");
  const auto mounts = (root.path() / "mounts").string(), self = (root.path() / "self").string();
  write(mounts, "cgroup2 " + (root.path() / "cg").string() + " cgroup2 rw 0 0\n");
  write(self, "0::/user.slice\n");
  const auto leaf = enter_leaf(mounts, self);
  REQUIRE(leaf);
  CHECK(leaf->state == LeafState::not_delegated);
  CHECK_FALSE(std::filesystem::exists(root.path() / "cg/user.slice/vigild/cgroup.procs"));
  write(self, "0::/\n");
  CHECK(enter_leaf(mounts, self)->state == LeafState::not_delegated);
}

}  // namespace vigil::cgroup
