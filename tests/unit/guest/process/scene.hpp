// A loop, a reaper and a launcher for tests with real processes: waits for events with a deadline, never for a time.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "guest/process/launcher.hpp"
#include "guest/process/reaper.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <fstream>
#include <optional>
#include <string>

namespace vigil::guest {

inline constexpr std::chrono::seconds test_deadline{30};

/// Turns the loop until `condition` holds; false when the deadline passed first.
inline bool run_until(EventLoop& loop, const std::function<bool()>& condition, std::chrono::milliseconds deadline = test_deadline) {
  const MonoUs end = loop.now_us() + static_cast<MonoUs>(std::chrono::microseconds(deadline).count());
  while (!condition()) {
    if (loop.now_us() > end) return false;
    loop.run_once(std::chrono::milliseconds(20));
  }
  return true;
}

/// A directory of its own, gone with the test.
class TestDirectory {
public:
  TestDirectory() {
    char name[] = "/tmp/vigil-test-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path_ = name;
    std::filesystem::permissions(path_, std::filesystem::perms(0755));
  }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  ~TestDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

  std::string write(const std::string& name, const std::string& text, unsigned mode = 0644) const {
    const std::string file = path_ + "/" + name;
    std::ofstream(file) << text;
    std::filesystem::permissions(file, std::filesystem::perms(mode));
    return file;
  }

private:
  std::string path_;
};

struct ProcessScene {
  EventLoop loop;
  process::Reaper reaper{loop};
  process::Launcher launcher;

  static process::LaunchPlan shell(const std::string& script) {
    process::LaunchPlan plan;
    plan.argv = {"/bin/sh", "-c", script};
    plan.env = {"PATH=/usr/bin:/bin"};
    return plan;
  }

  process::Launched launch(const process::LaunchPlan& plan) {
    auto outcome = launcher.launch(plan);
    REQUIRE(std::holds_alternative<process::Launched>(outcome));
    return std::get<process::Launched>(std::move(outcome));
  }

  process::LaunchFailure fail(const process::LaunchPlan& plan) {
    auto outcome = launcher.launch(plan);
    REQUIRE(std::holds_alternative<process::LaunchFailure>(outcome));
    return std::get<process::LaunchFailure>(outcome);
  }

  process::ProcessEnd wait(pid_t pid) {
    std::optional<process::ProcessEnd> end;
    reaper.expect(pid, [&](const process::ProcessEnd& seen) { end = seen; });
    REQUIRE(run_until(loop, [&] { return end.has_value(); }));
    return *end;
  }
};

}  // namespace vigil::guest
