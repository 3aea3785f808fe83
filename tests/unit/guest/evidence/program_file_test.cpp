#include "guest/evidence/program_file.hpp"

#include "tests/unit/guest/process/scene.hpp"

#include <elf.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace vigil::guest::evidence {
namespace {

std::string elf_of(std::uint16_t machine, const std::string& loader) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = machine;
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phoff = sizeof header;
  header.e_phnum = loader.empty() ? 0 : 1;
  Elf64_Phdr segment{};
  segment.p_type = PT_INTERP;
  segment.p_offset = sizeof header + sizeof segment;
  segment.p_filesz = segment.p_memsz = loader.size() + 1;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  if (loader.empty()) return bytes;
  bytes.append(reinterpret_cast<const char*>(&segment), sizeof segment);
  return bytes + loader + '\0';
}

/// What the kernel says of the file, explained.
protocol::Cause explain_launch(const std::string& path) {
  ProcessScene scene;
  process::LaunchPlan plan;
  plan.argv = {path};
  return explain_exec_failure(path, scene.fail(plan).error);
}

TEST_CASE("program file: each reason that the kernel has for not executing a file is named", "[guest][evidence]") {
  const TestDirectory directory;
  SECTION("not there") {
    const auto cause = explain_launch(directory.path() + "/none");
    CHECK(cause.text == "service.missing_binary");
    CHECK(protocol::field_text(cause, "path") == directory.path() + "/none");
  }
  SECTION("not executable") {
    CHECK(explain_launch(directory.write("plain", "#!/bin/sh\n", 0644)).text == "service.not_executable");
  }
  SECTION("a directory") { CHECK(explain_launch(directory.path()).text == "service.not_executable"); }
  SECTION("a script whose interpreter is missing") {
    const auto cause = explain_launch(directory.write("script", "#! /opt/python9 -u\n", 0755));
    CHECK(cause.text == "service.bad_interpreter");
    CHECK(protocol::field_text(cause, "interpreter") == "/opt/python9");
  }
  SECTION("a script with the line ends of DOS, whose interpreter is there without them") {
    const auto cause = explain_launch(directory.write("dos", "#!/bin/sh\r\nexit 0\r\n", 0755));
    CHECK(cause.text == "service.bad_interpreter");
    CHECK(protocol::field_text(cause, "interpreter") == "/bin/sh\\r");
    CHECK(cause.evidence == std::vector<std::string>{"its #! line ends in a carriage return: the file has the line ends of DOS"});
  }
  SECTION("a program whose loader is missing") {
    const auto cause = explain_launch(directory.write("musl", elf_of(EM_X86_64, "/lib/ld-nothing.so.1"), 0755));
    CHECK(cause.text == "service.bad_interpreter");
    CHECK(protocol::field_text(cause, "interpreter") == "/lib/ld-nothing.so.1");
  }
  SECTION("a program of another machine") {
    CHECK(explain_launch(directory.write("arm", elf_of(EM_AARCH64, ""), 0755)).text == "service.wrong_architecture");
  }
  SECTION("neither program nor script") {
    const auto cause = explain_launch(directory.write("text", "hello\n", 0755));
    CHECK(cause.text == "service.not_executable");
    CHECK(cause.evidence.size() == 1);
  }
  SECTION("an empty file") { CHECK(explain_launch(directory.write("empty", "", 0755)).text == "service.not_executable"); }
}

TEST_CASE("program file: a damaged ELF header never reads beyond its bytes", "[guest][evidence]") {
  const std::string whole = elf_of(EM_X86_64, "/lib/ld.so");
  for (std::size_t length = 0; length <= whole.size(); ++length) CHECK_NOTHROW(parse_program_head(whole.substr(0, length)));
  std::string wild = whole;
  for (std::size_t i = SELFMAG; i < wild.size(); ++i) {
    wild = whole;
    wild[i] = '\xff';
    CHECK_NOTHROW(parse_program_head(wild));
  }
}

TEST_CASE("program file: interpreters are found with blanks, arguments and no newline", "[guest][evidence]") {
  CHECK(parse_program_head("#!/bin/sh").interpreter == "/bin/sh");
  CHECK(parse_program_head("#!  /usr/bin/env node\nx").interpreter == "/usr/bin/env");
  CHECK(parse_program_head("#!\n").interpreter.empty());
}

}  // namespace
}  // namespace vigil::guest::evidence
