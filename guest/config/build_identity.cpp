#include "guest/config/build_identity.hpp"

#include <elf.h>
#include <link.h>
#include <sys/utsname.h>

#include <cstring>

namespace vigil::guest::config {
namespace {

std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

std::string build_id_in(const char* notes, std::size_t size) {
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes, sizeof note);
    const char* name = notes + sizeof note;
    const char* content = name + padded(note.n_namesz);
    const std::size_t whole = sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
    if (whole > size) break;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
      std::string hex;
      for (std::size_t i = 0; i < note.n_descsz; ++i) {
        constexpr char digits[] = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(content[i]);
        hex += digits[byte >> 4];
        hex += digits[byte & 15];
      }
      return hex;
    }
    notes += whole;
    size -= whole;
  }
  return {};
}

int look_at_program(dl_phdr_info* info, std::size_t, void* found) {
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    auto& id = *static_cast<std::string*>(found);
    id = build_id_in(reinterpret_cast<const char*>(info->dlpi_addr + header.p_vaddr), header.p_memsz);
    if (!id.empty()) break;
  }
  return 1;   // the first object is the program itself
}

}  // namespace

std::string agent_version() { return VIGIL_VERSION; }

std::string build_id() {
  std::string id;
  dl_iterate_phdr(look_at_program, &id);
  return id;
}

std::string kernel_release() {
  utsname names{};
  return ::uname(&names) == 0 ? names.release : "";
}

}  // namespace vigil::guest::config
