// The first pages of an ELF core: the registers of every thread and the signal. The rest of the core is never read.
//
// Why:    Linux writes the notes before the memory. What is needed of the memory (stacks) is read from the victim itself while the kernel holds it, so a
//         process of a gigabyte costs what a small one costs, and dies as fast.
// Shape:  pure but for the source of bytes. Hostile input: sizes are limited, unknown notes skipped.
// Errors: Errc::invalid for what is no x86-64 core of Linux, Errc::limit for one that is out of all proportion.
// Source: core(5), fs/binfmt_elf.c, <sys/procfs.h>, x86-64 psABI for the numbers of the registers.
#pragma once

#include "shared/base/result.hpp"

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace vigil::guest::core_dump {

inline constexpr std::size_t max_threads = 64;  // kept; the others are counted
inline constexpr std::size_t dwarf_registers = 17;  // rax ... r15 and the instruction pointer, in DWARF's order
inline constexpr std::size_t stack_pointer = 7, instruction_pointer = 16;

struct ThreadState {
  pid_t tid = 0;
  std::array<std::uint64_t, dwarf_registers> registers{};
};

struct SignalFacts {
  int number = 0;
  int code = 0;  // si_code
  std::uint64_t address = 0;  // si_addr; means something where code > 0
  pid_t sender = 0;  // si_pid; means something where code <= 0
};

struct CoreHead {
  std::vector<ThreadState> threads;  // the crashing one first
  std::size_t threads_left_out = 0;
  std::optional<SignalFacts> signal;
};

/// Like read(2): the count, 0 at the end, negative on an error.
using ByteSource = std::function<std::ptrdiff_t(char* buffer, std::size_t size)>;

Result<CoreHead> read_core_head(const ByteSource& source);

}  // namespace vigil::guest::core_dump
