// Why a program could not be executed, found by looking at its file: the kernel's errno alone does not tell a missing script from a missing interpreter.
//
// Shape:  parse_program_head is pure; explain_exec_failure reads the file's first 4 KiB.
// Source: execve(2), elf(5).
#pragma once

#include "shared/protocol/cause.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::guest::evidence {

struct ProgramHead {
  enum class Kind { elf, script, other };
  Kind kind = Kind::other;
  std::string interpreter;            // of a script its #! program, of an ELF file its loader; may be empty
  bool for_this_machine = true;       // false: an ELF file of another class, byte order or machine
};

ProgramHead parse_program_head(std::string_view first_bytes);

/// One of service.missing_binary, not_executable, bad_interpreter, wrong_architecture.
protocol::Cause explain_exec_failure(const std::string& path, int error);

}  // namespace vigil::guest::evidence
