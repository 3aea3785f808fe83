#include "host/vmm/kernel_check.hpp"

#include "host/vmm/boot_file.hpp"

#include <elf.h>

#include <cstring>

namespace vigil::vmm {

namespace {

using protocol::CauseCode;

constexpr std::uint32_t xen_elfnote_phys32_entry = 18;
constexpr std::size_t max_notes = 1 << 20;

constexpr std::uint64_t align4(std::uint64_t value) { return (value + 3) & ~std::uint64_t{3}; }

protocol::Cause bad(CauseCode code, const std::string& path, const std::string& reason) {
  return protocol::make_cause(code, {{"path", path}, {"reason", reason}});
}

bool has_pvh_note(const std::string& notes) {
  std::size_t at = 0;
  while (at + sizeof(Elf64_Nhdr) <= notes.size()) {
    Elf64_Nhdr header;
    std::memcpy(&header, notes.data() + at, sizeof(header));
    at += sizeof(header);
    const bool is_xen = header.n_namesz == 4 && notes.compare(at, 4, std::string("Xen", 4)) == 0;
    if (is_xen && header.n_type == xen_elfnote_phys32_entry && header.n_descsz >= 4) return true;
    const std::uint64_t next = at + align4(header.n_namesz) + align4(header.n_descsz);
    if (next <= at) return false;
    at = next;
  }
  return false;
}

/// Empty: the ELF file is a kernel that QEMU and Firecracker can enter.
std::string fault_of_elf(const BootFile& file) {
  const auto header = file.read_struct<Elf64_Ehdr>(0);
  if (!header) return "it is cut off within its ELF header";
  if (header->e_ident[EI_CLASS] != ELFCLASS64) return "it is a 32-bit ELF file";
  if (header->e_machine != EM_X86_64) return "it is an ELF file for another architecture (machine " + std::to_string(header->e_machine) + ")";
  if (header->e_phentsize != sizeof(Elf64_Phdr)) return "its program headers have an unknown size";
  bool loads = false, pvh = false;
  for (unsigned index = 0; index < header->e_phnum; ++index) {
    const auto segment = file.read_struct<Elf64_Phdr>(header->e_phoff + index * sizeof(Elf64_Phdr));
    if (!segment) return "it is cut off within its program headers";
    if (segment->p_type != PT_LOAD && segment->p_type != PT_NOTE) continue;
    if (segment->p_offset > file.size() || segment->p_filesz > file.size() - segment->p_offset)
      return "it is cut off: a segment ends at byte " + std::to_string(segment->p_offset + segment->p_filesz) + ", the file has " +
             std::to_string(file.size());
    loads = loads || segment->p_type == PT_LOAD;
    pvh = pvh || (segment->p_type == PT_NOTE && has_pvh_note(file.read(segment->p_offset, std::min<std::uint64_t>(segment->p_filesz, max_notes))));
  }
  if (!loads) return "it is an ELF file without anything to load";
  if (!pvh) return "it is an ELF file without a PVH entry note (CONFIG_PVH)";
  return {};
}

/// Boot protocol 2.00 and later: number of setup sectors at 0x1f1, size of the rest in 16-byte units at 0x1f4.
std::string fault_of_bz_image(const BootFile& file) {
  const auto setup_sectors = file.read_struct<std::uint8_t>(0x1f1);
  const auto system_size = file.read_struct<std::uint32_t>(0x1f4);
  if (!setup_sectors || !system_size) return "it is cut off within its header";
  const std::uint64_t sectors = *setup_sectors == 0 ? 4 : *setup_sectors;   // 0 means 4, for old kernels
  const std::uint64_t wanted = (sectors + 1) * 512 + std::uint64_t{*system_size} * 16;
  if (file.size() + 16 <= wanted)
    return "it is cut off: its header says " + std::to_string(wanted) + " bytes, the file has " + std::to_string(file.size());
  return {};
}

struct Magic { std::string_view bytes; const char* name; };
using namespace std::string_view_literals;
constexpr Magic compressions[] = {{"\x1f\x8b"sv, "gzip"}, {"\x28\xb5\x2f\xfd"sv, "zstd"}, {"\xfd" "7zXZ\0"sv, "xz"}, {"\x02\x21\x4c\x18"sv, "lz4"},
                                  {"BZh"sv, "bzip2"}, {"\x5d\0\0"sv, "lzma"}, {"\x89" "LZO"sv, "lzo"}};

std::optional<std::uint64_t> parse_hex8(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + static_cast<std::uint64_t>(digit);
  }
  return value;
}

/// Walks the members of an uncompressed archive to its trailer.
std::string fault_of_cpio(const BootFile& file) {
  constexpr std::size_t header_bytes = 110, size_at = 54, name_size_at = 94;
  constexpr std::string_view trailer = "TRAILER!!!";
  for (std::uint64_t at = 0; at < file.size();) {
    const std::string header = file.read(at, header_bytes);
    if (header.size() < header_bytes) break;
    const auto size = parse_hex8(std::string_view(header).substr(size_at, 8));
    const auto name_size = parse_hex8(std::string_view(header).substr(name_size_at, 8));
    const bool is_member = (header.starts_with("070701") || header.starts_with("070702")) && size && name_size;
    if (!is_member) return "its cpio archive is broken at byte " + std::to_string(at);
    if (file.read(at + header_bytes, trailer.size()) == trailer) return {};
    at = align4(at + header_bytes + *name_size);
    at = align4(at + *size);
  }
  return "its cpio archive is cut off: the trailer is missing";
}

}  // namespace

std::optional<protocol::Cause> check_kernel(const std::string& path, KernelFormat* format) {
  const auto refuse = [&path](const std::string& reason) { return bad(CauseCode::boot_kernel_invalid, path, reason); };
  const auto file = BootFile::open(path);
  if (!file) return refuse(file.error().message());
  if (file->size() == 0) return refuse("it is empty");
  const bool is_elf = file->read(0, SELFMAG) == ELFMAG;
  const bool is_bz_image = file->read(0x202, 4) == "HdrS" && file->read(0x1fe, 2) == "\x55\xaa";
  if (!is_elf && !is_bz_image) return refuse("it is neither an ELF kernel (vmlinux) nor a bzImage");
  const std::string fault = is_elf ? fault_of_elf(*file) : fault_of_bz_image(*file);
  if (!fault.empty()) return refuse(fault);
  if (format) *format = is_elf ? KernelFormat::elf_pvh : KernelFormat::bz_image;
  return std::nullopt;
}

std::optional<protocol::Cause> check_initrd(const std::string& path) {
  const auto refuse = [&path](const std::string& reason) { return bad(CauseCode::boot_initrd_invalid, path, reason); };
  const auto file = BootFile::open(path);
  if (!file) return refuse(file.error().message());
  if (file->size() == 0) return refuse("it is empty");
  const std::string start = file->read(0, 6);
  if (start == "070701" || start == "070702") {
    const std::string fault = fault_of_cpio(*file);
    if (fault.empty()) return std::nullopt;
    return refuse(fault);
  }
  for (const Magic& magic : compressions)
    if (start.starts_with(magic.bytes)) return std::nullopt;   // the kernel unpacks it and says so when it cannot
  return refuse("it is neither a cpio archive (newc) nor a compressed one that Linux knows");
}

}  // namespace vigil::vmm
