// The linker's build id of a program, in lower-case hex: which build it is, whatever its version says.
//
// Errors: an empty text, of a program that was linked without one and of what is no program of this machine's kind. Files are not trusted: every length is checked.
// Source: elf(5), Nhdr; ld(1) --build-id.
#pragma once

#include <string>
#include <string_view>

namespace vigil {

/// Of the content of a PT_NOTE segment.
std::string build_id_in_notes(std::string_view notes);
std::string build_id_of_file(const std::string& path);

}  // namespace vigil
