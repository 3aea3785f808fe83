#include "host/images/image_gc.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fstream>

namespace fs = std::filesystem;
namespace vigil::images {

namespace {

const std::string old_digest(64, 'a'), used_digest(64, 'b'), current_digest(64, 'c');

void place_version(const fs::path& images, const std::string& name, const std::string& digest) {
  fs::create_directories(images / name / digest);
  std::ofstream(images / name / digest / "root.ext4") << std::string(8192, 'x');
}

/// Three versions of one image: an old one, one that a VM has, the current one.
void place_three(const fs::path& images, const std::string& name = "minimal") {
  for (const auto& digest : {old_digest, used_digest, current_digest}) place_version(images, name, digest);
  fs::create_directory_symlink(current_digest, images / name / "current");
}

}  // namespace

TEST_CASE("image gc: only what is neither current nor of a VM goes", "[host][images]") {
  vigil::test::TemporaryDirectory directory;
  place_three(directory.path());
  const auto collected = collect_unused(directory.path(), {used_digest}, Collect::set_aside);
  REQUIRE(collected.has_value());
  REQUIRE(collected->unused.size() == 1);
  CHECK(collected->unused.front().name == "minimal");
  CHECK(collected->unused.front().digest == old_digest);
  CHECK(collected->unused.front().bytes >= 8192);
  CHECK_FALSE(fs::exists(directory.path() / "minimal" / old_digest));
  CHECK(fs::exists(directory.path() / "minimal" / used_digest / "root.ext4"));
  CHECK(fs::exists(directory.path() / "minimal" / current_digest / "root.ext4"));
  CHECK(fs::exists(directory.path() / "minimal" / (".gc-" + old_digest)));
  REQUIRE(delete_set_aside(directory.path()).has_value());
  CHECK_FALSE(fs::exists(directory.path() / "minimal" / (".gc-" + old_digest)));
}

TEST_CASE("image gc: a look changes nothing", "[host][images]") {
  vigil::test::TemporaryDirectory directory;
  place_three(directory.path());
  const auto looked = collect_unused(directory.path(), {}, Collect::only_look);
  REQUIRE(looked.has_value());
  CHECK(looked->unused.size() == 2);
  CHECK(fs::exists(directory.path() / "minimal" / old_digest / "root.ext4"));
}

TEST_CASE("image gc: files that images share are not counted as freed", "[host][images]") {
  vigil::test::TemporaryDirectory directory;
  place_three(directory.path());
  fs::remove(directory.path() / "minimal" / old_digest / "root.ext4");
  fs::create_hard_link(directory.path() / "minimal" / current_digest / "root.ext4",
                       directory.path() / "minimal" / old_digest / "root.ext4");
  const auto looked = collect_unused(directory.path(), {used_digest}, Collect::only_look);
  REQUIRE(looked->unused.size() == 1);
  CHECK(looked->unused.front().bytes == 0);
}

TEST_CASE("image gc: a name that is being built is left alone, and told", "[host][images]") {
  vigil::test::TemporaryDirectory directory;
  place_three(directory.path());
  place_three(directory.path(), "other");
  const int builder = ::open((directory.path() / ".minimal.lock").c_str(), O_RDWR | O_CREAT, 0644);
  REQUIRE(::flock(builder, LOCK_EX) == 0);
  const auto collected = collect_unused(directory.path(), {}, Collect::set_aside);
  ::close(builder);
  CHECK(collected->busy == std::vector<std::string>{"minimal"});
  CHECK(collected->unused.size() == 2);
  CHECK(fs::exists(directory.path() / "minimal" / old_digest));
}

TEST_CASE("image gc: what is no image is not touched", "[host][images]") {
  vigil::test::TemporaryDirectory directory;
  place_three(directory.path());
  for (const char* name : {"minimal/notes", "minimal/.new-1", "minimal/ABC"}) fs::create_directories(directory.path() / name);
  const auto outside = directory.path() / "outside";
  fs::create_directories(outside);
  fs::create_directory_symlink(outside, directory.path() / "minimal" / std::string(64, 'd'));
  const auto collected = collect_unused(directory.path(), {used_digest}, Collect::set_aside);
  CHECK(collected->unused.size() == 1);
  for (const char* name : {"minimal/notes", "minimal/.new-1", "minimal/ABC", "outside"}) CHECK(fs::exists(directory.path() / name));
  REQUIRE(delete_set_aside(directory.path()).has_value());
  CHECK(fs::exists(outside));
}

}  // namespace vigil::images
