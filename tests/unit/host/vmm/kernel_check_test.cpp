// Garbage is refused before the start, with the reason; what boots passes.
#include "host/vmm/kernel_check.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <elf.h>

#include <cstring>
#include <fstream>

namespace vigil::vmm {

namespace {

template <class T>
void put(std::string& bytes, std::size_t at, const T& value) {
  if (bytes.size() < at + sizeof(T)) bytes.resize(at + sizeof(T));
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

struct Elf {
  unsigned char class_of = ELFCLASS64;
  std::uint16_t machine = EM_X86_64;
  std::uint32_t note_type = 18;
  bool load = true;
  std::uint64_t load_bytes = 64;
};

/// One note segment at 0x200 and one load segment at 0x300.
std::string make_elf(const Elf& wanted) {
  std::string bytes;
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = wanted.class_of;
  header.e_machine = wanted.machine;
  header.e_phoff = sizeof(Elf64_Ehdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 2;
  put(bytes, 0, header);
  Elf64_Phdr note{};
  note.p_type = PT_NOTE, note.p_offset = 0x200, note.p_filesz = 12 + 4 + 4 + 12 + 4 + 4;
  put(bytes, sizeof(Elf64_Ehdr), note);
  Elf64_Phdr load{};
  load.p_type = wanted.load ? PT_LOAD : PT_NULL;
  load.p_offset = 0x300, load.p_filesz = wanted.load_bytes;
  put(bytes, sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr), load);
  put(bytes, 0x200, Elf64_Nhdr{4, 4, 1});              // a GNU note before it, as real kernels have
  bytes.resize(0x20c);
  bytes += std::string("GNU\0abcd", 8);
  put(bytes, 0x214, Elf64_Nhdr{4, 4, wanted.note_type});
  bytes += std::string("Xen\0\0\0\0\1", 8);
  bytes.resize(0x300 + 64);
  return bytes;
}

std::string make_bz_image(std::size_t system_bytes) {
  std::string bytes(0x400, '\0');
  bytes[0x1f1] = 1;
  put(bytes, 0x1f4, std::uint32_t{512});               // 8 KiB in units of 16
  bytes.replace(0x1fe, 2, "\x55\xaa");
  bytes.replace(0x202, 4, "HdrS");
  return bytes + std::string(system_bytes, 'k');
}

std::string cpio_member(const std::string& name, const std::string& content) {
  char header[160];
  std::snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1u, 0100644u, 0u, 0u, 1u, 0u,
                static_cast<unsigned>(content.size()), 0u, 0u, 0u, 0u, static_cast<unsigned>(name.size() + 1), 0u);
  std::string member = header + name + '\0';
  member.resize((member.size() + 3) / 4 * 4);
  member += content;
  member.resize((member.size() + 3) / 4 * 4);
  return member;
}

class Files {
public:
  std::string write(const std::string& bytes) const {
    const std::string path = (directory_.path() / "file").string();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  std::string missing() const { return (directory_.path() / "missing").string(); }
  std::string directory() const { return directory_.path().string(); }

private:
  test::TemporaryDirectory directory_;
};

std::string reason_of(const std::optional<protocol::Cause>& cause) { return cause ? field_text(*cause, "reason").value_or("no reason") : "accepted"; }

}  // namespace

TEST_CASE("kernel check: an ELF kernel with a PVH note and a bzImage are accepted", "[host][vmm]") {
  const Files files;
  KernelFormat format{};
  CHECK(reason_of(check_kernel(files.write(make_elf({})), &format)) == "accepted");
  CHECK(format == KernelFormat::elf_pvh);
  CHECK(reason_of(check_kernel(files.write(make_bz_image(8192)), &format)) == "accepted");
  CHECK(format == KernelFormat::bz_image);
}

TEST_CASE("kernel check: what QEMU would boot into silence is refused with its reason", "[host][vmm]") {
  const Files files;
  Elf bits32, arm, no_note, no_load, cut;
  bits32.class_of = ELFCLASS32;
  arm.machine = EM_AARCH64;
  no_note.note_type = 17;
  no_load.load = false;
  cut.load_bytes = 4096;
  const std::pair<std::string, std::string> cases[] = {
      {"", "it is empty"},
      {std::string(4096, 'g'), "neither an ELF kernel (vmlinux) nor a bzImage"},
      {"\x7f" "ELF\x02", "cut off within its ELF header"},
      {make_elf(bits32), "32-bit"},
      {make_elf(arm), "another architecture (machine 183)"},
      {make_elf(no_note), "without a PVH entry note"},
      {make_elf(no_load), "without anything to load"},
      {make_elf(cut), "a segment ends at byte 4864, the file has 832"},
      {make_bz_image(100), "cut off: its header says 9216 bytes, the file has 1124"},
  };
  for (const auto& [bytes, reason] : cases) {
    const std::string path = files.write(bytes);
    const auto cause = check_kernel(path);
    REQUIRE(cause);
    CHECK(cause->code == protocol::CauseCode::boot_kernel_invalid);
    CHECK(field_text(*cause, "path") == path);
    CHECK(reason_of(cause).find(reason) != std::string::npos);
  }
  CHECK(reason_of(check_kernel(files.missing())) == "it cannot be opened: No such file or directory");
  CHECK(reason_of(check_kernel(files.directory())) == "it is not a regular file");
}

TEST_CASE("initrd check: archives that Linux unpacks are accepted", "[host][vmm]") {
  const Files files;
  const std::string archive = cpio_member("init", "#!/bin/sh\n") + cpio_member("TRAILER!!!", "");
  CHECK(reason_of(check_initrd(files.write(archive))) == "accepted");
  CHECK(reason_of(check_initrd(files.write(archive + "\x1f\x8b and a compressed one behind it"))) == "accepted");
  for (const std::string& start : {std::string("\x1f\x8b\x08"), std::string("\x28\xb5\x2f\xfd"), std::string("\xfd" "7zXZ\0", 6)})
    CHECK(reason_of(check_initrd(files.write(start + "rest"))) == "accepted");
}

TEST_CASE("initrd check: a broken archive is refused with its reason", "[host][vmm]") {
  const Files files;
  const std::string members = cpio_member("init", "#!/bin/sh\n") + cpio_member("etc", "");
  std::string broken = members + cpio_member("TRAILER!!!", "");
  broken.replace(cpio_member("init", "#!/bin/sh\n").size(), 6, "garbag");
  const std::pair<std::string, std::string> cases[] = {
      {"", "it is empty"},
      {"hello there", "neither a cpio archive"},
      {members, "the trailer is missing"},
      {members.substr(0, members.size() - 20), "the trailer is missing"},
      {broken, "broken at byte 128"},
  };
  for (const auto& [bytes, reason] : cases) {
    const auto cause = check_initrd(files.write(bytes));
    REQUIRE(cause);
    CHECK(cause->code == protocol::CauseCode::boot_initrd_invalid);
    CHECK(reason_of(cause).find(reason) != std::string::npos);
  }
}

}  // namespace vigil::vmm
