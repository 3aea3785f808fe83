// The files that a process runs code from, out of /proc/PID/maps: where each lies, and an open descriptor of the very file that is mapped.
//
// Shape:  parse_maps() is pure. open_modules() goes through /proc/PID/map_files, which leads to the mapped file even when it was deleted, replaced or lies in
//         another mount namespace, and never to what a name in the victim's world leads to. Only regular files are opened.
// Source: proc(5) maps, map_files.
#pragma once

#include "shared/base/unique_fd.hpp"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::core_dump {

inline constexpr std::size_t max_modules = 256;

/// One ELF file: all its mappings, from the one that holds its first byte on.
struct Module {
  std::string path;  // as the kernel names it; may end in " (deleted)"
  std::uint64_t start = 0, end = 0;
  std::string one_mapping;  // "START-END" of one of them, the name below map_files
  bool has_code = false;
  UniqueFd file;
  std::string image;  // of the vDSO, which is no file
};

std::vector<Module> parse_maps(std::string_view maps);
/// Opens what it can; a module without file stays in the list, for its name.
void open_modules(std::vector<Module>& modules, pid_t pid);

}  // namespace vigil::guest::core_dump
