#include "shared/base/build_id.hpp"

#include <catch2/catch_test_macros.hpp>

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <fstream>

namespace vigil {
namespace {

std::string note(std::uint32_t name_size, std::uint32_t size, std::uint32_t type, const std::string& rest) {
  std::string bytes;
  for (const auto word : {name_size, size, type}) bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
  return bytes + rest;
}

const std::string gnu("GNU\0", 4);

TEST_CASE("build id: of a running program's file, as its linker wrote it", "[shared][base]") {
  const auto id = build_id_of_file("/proc/self/exe");
  CHECK(id.size() == 40);
  CHECK(id.find_first_not_of("0123456789abcdef") == id.npos);
}

TEST_CASE("build id: among other notes; cut, lying and foreign ones give none", "[shared][base]") {
  const auto id = note(4, 4, 3, gnu + "\x01\xab\xff\x10");
  CHECK(build_id_in_notes(id) == "01abff10");
  CHECK(build_id_in_notes(note(4, 4, 1, gnu + "abcd") + id) == "01abff10");
  CHECK(build_id_in_notes(id.substr(0, id.size() - 1)).empty());
  CHECK(build_id_in_notes(note(4, 0xfffffffc, 3, gnu)).empty());
  CHECK(build_id_in_notes(note(0xfffffffc, 4, 3, gnu)).empty());
  CHECK(build_id_in_notes(note(4, 4, 3, "NONE" + std::string("abcd"))).empty());
  CHECK(build_id_in_notes("").empty());
}

TEST_CASE("build id: a file that is no program has none", "[shared][base]") {
  const std::string path = "/tmp/vigil-build-id-" + std::to_string(::getpid());
  std::ofstream(path) << "#!/bin/sh\n";
  CHECK(build_id_of_file(path).empty());
  std::ofstream(path) << "\x7f"
                         "ELF and nothing more";
  CHECK(build_id_of_file(path).empty());
  std::remove(path.c_str());
  CHECK(build_id_of_file(path).empty());
}

}  // namespace
}  // namespace vigil
