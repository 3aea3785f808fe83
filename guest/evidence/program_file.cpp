#include "guest/evidence/program_file.hpp"

#include "guest/process/small_file.hpp"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

namespace vigil::guest::evidence {
namespace {

using protocol::Cause;
using protocol::CauseCode;
using protocol::make_cause;

constexpr std::size_t head_bytes = 4096;
constexpr std::uint16_t this_machine = EM_X86_64;

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

template <class Struct>
bool copy_at(std::string_view bytes, std::uint64_t offset, Struct& into) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof into) return false;
  std::memcpy(&into, bytes.data() + offset, sizeof into);
  return true;
}

std::string loader_of(std::string_view bytes, const Elf64_Ehdr& header) {
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!copy_at(bytes, header.e_phoff + i * sizeof segment, segment)) return {};
    if (segment.p_type != PT_INTERP) continue;
    if (segment.p_offset >= bytes.size()) return {};
    const std::string_view path = bytes.substr(segment.p_offset, segment.p_filesz);
    return std::string(path.substr(0, path.find('\0')));
  }
  return {};
}

ProgramHead parse_elf(std::string_view bytes) {
  ProgramHead head{ProgramHead::Kind::elf, {}, false};
  Elf64_Ehdr header;
  if (!copy_at(bytes, 0, header)) return head;
  head.for_this_machine = header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == ELFDATA2LSB && header.e_machine == this_machine;
  if (head.for_this_machine) head.interpreter = loader_of(bytes, header);
  return head;
}

/// As the kernel reads it: a carriage return before the end of the line is a part of the name.
ProgramHead parse_script(std::string_view bytes) {
  std::string_view line = bytes.substr(2, bytes.find('\n') - 2);
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  return {ProgramHead::Kind::script, std::string(line.substr(0, line.find_first_of(" \t"))), true};
}

ProgramHead read_head(const std::string& path) {
  return parse_program_head(process::read_small_file(path, head_bytes).value_or(""));
}

Cause not_executable(const std::string& path, const std::string& why) {
  return make_cause(CauseCode::service_not_executable, {{"path", path}}, {why});
}

Cause bad_interpreter(const std::string& path, const ProgramHead& head) {
  if (head.interpreter.ends_with('\r'))
    return make_cause(CauseCode::service_bad_interpreter,
                      {{"path", path}, {"interpreter", head.interpreter.substr(0, head.interpreter.size() - 1) + "\\r"}},
                      {"its #! line ends in a carriage return: the file has the line ends of DOS"});
  return make_cause(CauseCode::service_bad_interpreter, {{"path", path}, {"interpreter", head.interpreter}});
}

}  // namespace

ProgramHead parse_program_head(std::string_view first_bytes) {
  if (first_bytes.starts_with(std::string_view(ELFMAG, SELFMAG))) return parse_elf(first_bytes);
  if (first_bytes.starts_with("#!")) return parse_script(first_bytes);
  return {};
}

Cause explain_exec_failure(const std::string& path, int error) {
  if (!exists(path)) return make_cause(CauseCode::service_missing_binary, {{"path", path}});
  const ProgramHead head = read_head(path);
  if (error == ENOENT) return bad_interpreter(path, head);
  if (error == EACCES && access(path.c_str(), X_OK) == 0 && !head.interpreter.empty()) return bad_interpreter(path, head);
  if (error == ENOEXEC || error == ELIBBAD) {
    if (!head.for_this_machine) return make_cause(CauseCode::service_wrong_architecture, {{"path", path}});
    if (head.kind == ProgramHead::Kind::script && !read_head(head.interpreter).for_this_machine)
      return make_cause(CauseCode::service_wrong_architecture, {{"path", head.interpreter}}, {"it is the interpreter of " + path});
    return not_executable(path, "neither an ELF program nor a script with a #! line");
  }
  return not_executable(path, std::string(std::strerror(error)));
}

}  // namespace vigil::guest::evidence
