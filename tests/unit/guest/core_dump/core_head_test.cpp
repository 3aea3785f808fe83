#include "guest/core_dump/core_head.hpp"
#include "tests/unit/guest/core_dump/real_core.hpp"

#include <sys/procfs.h>

namespace vigil::guest::core_dump {

namespace {

Result<CoreHead> head_of(const std::string& bytes) {
  std::size_t at = 0;
  return read_core_head([&](char* buffer, std::size_t size) {
    const std::size_t count = std::min(size, bytes.size() - at);
    std::memcpy(buffer, bytes.data() + at, count);
    at += count;
    return static_cast<std::ptrdiff_t>(count);
  });
}

template <class T>
std::string bytes_of(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string make_note(std::uint32_t type, const std::string& description, const std::string& owner = "CORE") {
  const auto pad = [](std::string text) {
    text.resize((text.size() + 3) / 4 * 4);
    return text;
  };
  const Elf64_Nhdr header{static_cast<Elf64_Word>(owner.size() + 1), static_cast<Elf64_Word>(description.size()), type};
  return bytes_of(header) + pad(owner + '\0') + pad(description);
}

std::string make_thread(pid_t tid, unsigned long long stack) {
  elf_prstatus status{};
  status.pr_pid = tid;
  user_regs_struct user{};
  user.rsp = stack;
  user.rip = 0x401000;
  std::memcpy(&status.pr_reg, &user, sizeof user);
  return make_note(NT_PRSTATUS, bytes_of(status));
}

std::string make_core(const std::string& notes, const std::function<void(Elf64_Ehdr&, Elf64_Phdr&)>& change = {}) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_CORE;
  header.e_machine = EM_X86_64;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr segment{};
  segment.p_type = PT_NOTE;
  segment.p_offset = sizeof header + sizeof segment;
  segment.p_filesz = notes.size();
  if (change) change(header, segment);
  return bytes_of(header) + bytes_of(segment) + notes;
}

}  // namespace

TEST_CASE("core head: threads in the core's order, with their registers", "[guest][core_dump]") {
  const auto head = head_of(make_core(make_note(NT_PRPSINFO, "ignored") + make_thread(7, 0x1000) +
                                      make_note(NT_PRSTATUS, std::string(400, 'x'), "LINUX") + make_thread(9, 0x2000)));
  REQUIRE(head.has_value());
  REQUIRE(head->threads.size() == 2);
  CHECK(head->threads[0].tid == 7);
  CHECK(head->threads[0].registers[stack_pointer] == 0x1000);
  CHECK(head->threads[1].tid == 9);
  CHECK(head->threads[1].registers[instruction_pointer] == 0x401000);
  CHECK_FALSE(head->signal);
}

TEST_CASE("core head: more threads than are kept are counted", "[guest][core_dump]") {
  std::string notes;
  for (int i = 0; i < 70; ++i) notes += make_thread(100 + i, 0x1000);
  const auto head = head_of(make_core(notes));
  REQUIRE(head.has_value());
  CHECK(head->threads.size() == max_threads);
  CHECK(head->threads_left_out == 6);
}

TEST_CASE("core head: what is no core of this machine is refused with the reason", "[guest][core_dump]") {
  const std::string notes = make_thread(7, 0x1000);
  const auto refusal = [&](const std::function<void(Elf64_Ehdr&, Elf64_Phdr&)>& change) {
    return head_of(make_core(notes, change)).error().message();
  };
  CHECK(head_of("").error().message() == "the core ends after 0 bytes");
  CHECK(head_of("#!/bin/sh\n").has_error());
  CHECK(refusal([](auto& header, auto&) { header.e_type = ET_EXEC; }) == "not an ELF core");
  CHECK(refusal([](auto& header, auto&) { header.e_ident[EI_CLASS] = ELFCLASS32; }) == "not a core of a 64-bit x86 program");
  CHECK(refusal([](auto& header, auto&) { header.e_phnum = 0; }) == "the core's header has no program headers");
  CHECK(refusal([](auto& header, auto&) { header.e_phoff = ~0ULL; }) == "the core's program headers lie too far in");
  CHECK(refusal([](auto&, auto& segment) { segment.p_type = PT_LOAD; }) == "the core does not begin with its notes");
  CHECK(refusal([](auto&, auto& segment) { segment.p_offset = 8; }) == "the core's notes overlap its headers");
  CHECK(refusal([](auto&, auto& segment) { segment.p_filesz = ~0ULL; }) == "the core's notes are out of all proportion");
  CHECK(refusal([](auto&, auto& segment) { segment.p_filesz = 20; }) == "a note is longer than the core's notes");
  CHECK(head_of(make_core(make_note(NT_PRPSINFO, "no thread"))).error().message() == "the core names no thread");
  CHECK(head_of(make_core(notes).substr(0, 200)).error().message() == "the core ends after 200 bytes");
}

TEST_CASE("core head: of a real core, whatever the pipe cuts it into", "[guest][core_dump]") {
  const RealCore core("threads");
  const auto head = core.head();
  REQUIRE(head.has_value());
  REQUIRE(head->threads.size() == 4);
  CHECK(head->threads[0].tid == core.pid);
  REQUIRE(head->signal);
  CHECK(head->signal->number == SIGSEGV);
  CHECK(head->signal->code == SEGV_MAPERR);
  CHECK(head->signal->address == 0x10);
}

}  // namespace vigil::guest::core_dump
