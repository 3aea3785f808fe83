#include "guest/evidence/cgroup_pressure.hpp"

#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>

namespace vigil::guest::evidence {
namespace {

namespace fs = std::filesystem;

struct FakeGroup {
  fs::path path = fs::temp_directory_path() / ("pressure-" + std::to_string(::getpid()));
  FakeGroup() { fs::create_directories(path); }
  FakeGroup(const FakeGroup&) = delete;
  FakeGroup& operator=(const FakeGroup&) = delete;
  ~FakeGroup() { fs::remove_all(path); }
  void say(int refused, int periods, int throttled) const {
    std::ofstream(path / "pids.events") << "max " << refused << "\n";
    std::ofstream(path / "cpu.stat") << "usage_usec 1\nnr_periods " << periods << "\nnr_throttled " << throttled << "\nthrottled_usec 5\n";
  }
};

}  // namespace

TEST_CASE("cgroup pressure: only what happened since the baseline counts", "[guest][evidence]") {
  const FakeGroup group;
  group.say(3, 100, 90);
  CgroupPressure pressure(group.path.string());
  pressure.take_baseline();
  CHECK_FALSE(pressure.forks_were_refused());
  CHECK(pressure.cpu_periods().all == 0);
  group.say(4, 150, 130);
  CHECK(pressure.forks_were_refused());
  CHECK(pressure.cpu_periods().all == 50);
  CHECK(pressure.cpu_periods().throttled == 40);
  group.say(0, 1, 1);
  CHECK_FALSE(pressure.forks_were_refused());
  CHECK(pressure.cpu_periods().all == 0);
}

TEST_CASE("cgroup pressure: starved is who was held back in most of enough periods", "[guest][evidence]") {
  CHECK(is_starved({50, 40}));
  CHECK_FALSE(is_starved({50, 25}));
  CHECK_FALSE(is_starved({9, 9}));
  CHECK_FALSE(is_starved({0, 0}));
}

TEST_CASE("cgroup pressure: without a cgroup there is no evidence", "[guest][evidence]") {
  CgroupPressure none;
  none.take_baseline();
  CHECK_FALSE(none.forks_were_refused());
  CHECK(none.cpu_periods().all == 0);
}

}  // namespace vigil::guest::evidence
