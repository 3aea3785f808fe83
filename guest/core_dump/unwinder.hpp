// From registers, copies of stacks and the mapped files to frames: the one place that uses elfutils' libdwfl.
//
// Why:    call-frame information is in every x86-64 program, frame pointers are not; libdwfl reads it, and the symbols, from the files that were mapped.
// Shape:  frames are told as they are found, so that what ends us in the middle costs only the rest. Runs confined: every byte may be made up.
// Errors: a thread whose frames are not all is told as `cut` with the reason.
// Source: elfutils libdwfl.h (LGPL-3.0-or-later or GPL-2.0-or-later, linked statically into this helper alone).
#pragma once

#include "guest/core_dump/memory_map.hpp"
#include "guest/core_dump/stack_memory.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace vigil::guest::core_dump {

inline constexpr std::size_t max_frames_crashing = 64, max_frames_other = 32;

struct Frame {
  std::string_view module, build_id, function;  // function: demangled; empty where the file has no symbol for it
  std::uint64_t offset = 0;  // as the module's own file numbers it: what addr2line takes. Without a module: the address
};

struct FrameSink {
  std::function<void(const ThreadState& thread)> thread;
  std::function<void(const Frame& frame)> frame;
  std::function<void(std::string_view why)> cut;
};

/// `is_late` says when the time is up; it is asked between frames.
void unwind_threads(const CoreHead& head, const StackMemory& memory, std::span<const Module> modules, const FrameSink& sink,
                    const std::function<bool()>& is_late);

}  // namespace vigil::guest::core_dump
