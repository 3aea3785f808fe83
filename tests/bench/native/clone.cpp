// vigil-clone-bench TEMPLATE DIRECTORY BYTES SAMPLES MANY: makes disks as the daemon does and prints their times, "one MS" for each, then "many MS" for all of
// MANY together. The disks stay in DIRECTORY.
#include "host/daemon/disk_image.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

void make_one(const char* from, const std::filesystem::path& to, std::uint64_t bytes) {
  const auto made = vigil::daemon::make_disk(from, to, bytes);
  if (made) return;
  std::fprintf(stderr, "%s\n", made.error().message().c_str());
  std::exit(1);
}

}  // namespace

int main(int count, char** words) {
  if (count != 6) return 2;
  const std::filesystem::path directory = words[2];
  const std::uint64_t bytes = std::strtoull(words[3], nullptr, 10);
  for (int n = 0; n < std::atoi(words[4]); ++n) {
    const auto start = std::chrono::steady_clock::now();
    make_one(words[1], directory / ("one-" + std::to_string(n)), bytes);
    std::printf("one %.3f\n", ms_since(start));
  }
  const auto start = std::chrono::steady_clock::now();
  for (int n = 0; n < std::atoi(words[5]); ++n) make_one(words[1], directory / ("many-" + std::to_string(n)), bytes);
  std::printf("many %.3f\n", ms_since(start));
}
