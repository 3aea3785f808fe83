#include "guest/evidence/file_change.hpp"

#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>

namespace vigil::guest::evidence {

TEST_CASE("file change: told at each modification, and never of a file that is not there", "[guest][evidence]") {
  using namespace std::chrono_literals;
  const auto path = std::filesystem::temp_directory_path() / ("file-change-" + std::to_string(::getpid()));
  std::ofstream(path) << "max 0\n";
  EventLoop loop;
  int told = 0, absent = 0;
  const FileChange change(loop, path.string(), [&] { ++told; });
  const FileChange nothing(loop, path.string() + "-not-there", [&] { ++absent; });
  loop.run_once(0ms);
  CHECK(told == 0);
  std::ofstream(path) << "max 1\n";
  loop.run_once(1000ms);
  CHECK(told >= 1);
  CHECK(absent == 0);
  std::filesystem::remove(path);
}

}  // namespace vigil::guest::evidence
