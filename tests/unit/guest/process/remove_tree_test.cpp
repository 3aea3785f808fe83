#include "guest/process/remove_tree.hpp"

#include "tests/unit/guest/process/scene.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace vigil::guest::process {
namespace {

TEST_CASE("remove_tree: all of it goes, and nothing that a link in it points to", "[guest][process]") {
  const TestDirectory directory;
  const std::string tree = directory.path() + "/tree", outside = directory.path() + "/outside";
  for (const std::string& path : {tree, tree + "/a", tree + "/a/b", outside}) REQUIRE(::mkdir(path.c_str(), 0755) == 0);
  std::ofstream(tree + "/a/b/file") << "x";
  std::ofstream(outside + "/kept") << "x";
  REQUIRE(::symlink(outside.c_str(), (tree + "/a/link").c_str()) == 0);
  remove_tree(tree);
  CHECK(::access(tree.c_str(), F_OK) != 0);
  CHECK(::access((outside + "/kept").c_str(), F_OK) == 0);
}

}  // namespace
}  // namespace vigil::guest::process
