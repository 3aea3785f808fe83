#include "shared/base/build_id.hpp"

#include "shared/base/hex.hpp"
#include "shared/base/unique_fd.hpp"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <cstring>
#include <optional>

namespace vigil {
namespace {

constexpr std::size_t longest_id = 64, most_segments = 128, longest_notes = 64 * 1024;

std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

/// A T out of the file; nullopt: it ends before.
template <class T>
std::optional<T> read_at(int file, std::uint64_t offset) {
  T value{};
  return ::pread(file, &value, sizeof value, static_cast<off_t>(offset)) == static_cast<ssize_t>(sizeof value) ? std::optional(value)
                                                                                                               : std::nullopt;
}

}  // namespace

std::string build_id_in_notes(std::string_view notes) {
  while (notes.size() >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes.data(), sizeof note);
    const std::size_t content = sizeof note + padded(note.n_namesz), whole = content + padded(note.n_descsz);
    if (whole > notes.size()) break;
    const bool is_id = note.n_type == NT_GNU_BUILD_ID && notes.substr(sizeof note, note.n_namesz) == std::string_view("GNU", 4);
    if (is_id && note.n_descsz <= longest_id) return to_hex(notes.substr(content, note.n_descsz));
    notes.remove_prefix(whole);
  }
  return {};
}

std::string build_id_of_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  const auto head = read_at<ElfW(Ehdr)>(file.get(), 0);
  const bool is_ours = head && std::memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 && head->e_ident[EI_CLASS] == ELFCLASS64 &&
                       head->e_phentsize == sizeof(ElfW(Phdr));
  for (std::size_t at = 0; is_ours && at < head->e_phnum && at < most_segments; ++at) {
    const auto segment = read_at<ElfW(Phdr)>(file.get(), head->e_phoff + at * sizeof(ElfW(Phdr)));
    if (!segment || segment->p_type != PT_NOTE || segment->p_filesz > longest_notes) continue;
    std::string notes(segment->p_filesz, '\0');
    if (::pread(file.get(), notes.data(), notes.size(), static_cast<off_t>(segment->p_offset)) != static_cast<ssize_t>(notes.size()))
      continue;
    if (auto id = build_id_in_notes(notes); !id.empty()) return id;
  }
  return {};
}

}  // namespace vigil
