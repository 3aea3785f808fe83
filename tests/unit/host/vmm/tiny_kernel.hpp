// A kernel of some hundred bytes that boots by PVH, prints one line on ttyS0, and then does one thing: enough to see a real VM live and end.
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <string>

namespace vigil::test {

enum class ThenIt { halts, resets, panics };

inline std::string tiny_kernel(const std::string& line, ThenIt then) {
  constexpr std::uint32_t base = 0x100000;       // where the code is loaded
  const auto word = [](std::uint32_t value) { return std::string(reinterpret_cast<const char*>(&value), sizeof(value)); };
  constexpr std::uint32_t text_at = 0x80, no_table_at = 0x70;   // within the code
  std::string code = std::string("\xfc\x66\xba\xf8\x03\xbe", 6) + word(base + text_at);   // cld; mov dx,0x3f8; mov esi,text
  code += std::string("\xac\x84\xc0\x74\x03\xee\xeb\xf8", 8);                             // next: lodsb; test al,al; jz done; out dx,al; jmp next
  if (then == ThenIt::panics) code += std::string("\x66\xba\x05\x05\xb0\x01\xee", 7);     // done: mov dx,0x505; mov al,1; out dx,al (pvpanic)
  if (then == ThenIt::resets) code += "\x0f\x01\x1d" + word(base + no_table_at) + "\xcc"; // done: lidt [nothing]; int3 (a triple fault)
  code += "\xf4\xeb\xfd";                                                                 // hlt; jmp to it
  code.resize(text_at);
  code += line + '\n' + '\0';

  const std::string note = word(4) + word(4) + word(18) + std::string("Xen\0", 4) + word(base);   // XEN_ELFNOTE_PHYS32_ENTRY
  constexpr std::size_t note_at = 0x100, code_at = 0x200;
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64, header.e_ident[EI_DATA] = ELFDATA2LSB, header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC, header.e_machine = EM_X86_64, header.e_version = EV_CURRENT, header.e_entry = base;
  header.e_phoff = sizeof(header), header.e_ehsize = sizeof(header), header.e_phentsize = sizeof(Elf64_Phdr), header.e_phnum = 2;
  Elf64_Phdr load{}, notes{};
  load.p_type = PT_LOAD, load.p_flags = PF_R | PF_W | PF_X, load.p_offset = code_at, load.p_vaddr = base, load.p_paddr = base;
  load.p_filesz = code.size(), load.p_memsz = code.size(), load.p_align = 0x200;
  notes.p_type = PT_NOTE, notes.p_flags = PF_R, notes.p_offset = note_at, notes.p_filesz = note.size(), notes.p_memsz = note.size(), notes.p_align = 4;
  std::string file(code_at, '\0');
  std::memcpy(file.data(), &header, sizeof(header));
  std::memcpy(file.data() + sizeof(header), &load, sizeof(load));
  std::memcpy(file.data() + sizeof(header) + sizeof(load), &notes, sizeof(notes));
  file.replace(note_at, note.size(), note);
  return file + code;
}

}  // namespace vigil::test
