#include "guest/boot/disks.hpp"
#include "guest/boot/modules.hpp"

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <string>

namespace vigil::guest::boot {

namespace fs = std::filesystem;

namespace {

struct FakeSysBlock {
  FakeSysBlock() {
    char folder[] = "/tmp/vigil-disks-test-XXXXXX";
    REQUIRE(::mkdtemp(folder) != nullptr);
    path = folder;
  }
  ~FakeSysBlock() { fs::remove_all(path); }
  void add(const std::string& name, const char* serial) {
    fs::create_directory(path / name);
    if (serial) std::ofstream(path / name / "serial") << serial;
  }
  fs::path path;
};

}  // namespace

TEST_CASE("disks: found by serial, whatever the kernel called them", "[guest][boot]") {
  FakeSysBlock sys;
  sys.add("vdb", "vigil-root\n");
  sys.add("vda", "vigil-overlay");
  sys.add("vdc", nullptr);
  sys.add("loop0", "vigil-root");
  const auto disks = list_disks(sys.path);
  REQUIRE(find_device(disks, "vigil-root") == "/dev/vdb");
  REQUIRE(find_device(disks, "vigil-overlay") == "/dev/vda");
  REQUIRE_FALSE(find_device(disks, "not-there").has_value());
  REQUIRE(find_device(disks, "/dev/vdc") == "/dev/vdc");   // by name, for a VMM that chooses no serials
  REQUIRE_FALSE(find_device(disks, "/dev/vdd").has_value());
  REQUIRE(describe(disks) == "vda (vigil-overlay), vdb (vigil-root), vdc");
  REQUIRE(describe({}) == "none");
  REQUIRE(list_disks("/nowhere").empty());
}

TEST_CASE("modules: file names in their order, comments and blank lines left out", "[guest][boot]") {
  REQUIRE(parse_module_list("a.ko\n\n# why\nb.ko") == std::vector<std::string>{"a.ko", "b.ko"});
  REQUIRE(parse_module_list("").empty());
}

TEST_CASE("modules: one that is not there is named", "[guest][boot]") {
  const auto cause = load_modules({"not-there.ko"}, [](const std::string&) { FAIL("was loaded"); });
  REQUIRE(cause.has_value());
  REQUIRE(cause->text == "boot.module_missing");
  REQUIRE(vigil::protocol::field_text(*cause, "module") == "not-there.ko");
}

}  // namespace vigil::guest::boot
