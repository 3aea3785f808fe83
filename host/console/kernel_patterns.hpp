// What kernels print when something happens: one row a pattern, matched against a line from which printk's prefix is stripped.
//
// Source: tech §5.5, with samples of Debian 12 and 13 kernels in the tests. Add rows; an order matters only where two rows fit the same line (first wins).
#pragma once

#include "host/machine/console_finding.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::console {

/// A pattern is literal text with {name} captures (the shortest that fits; {name:d} digits, {name:x} hex digits); it is searched in the line unless it starts with "^".
struct KernelPattern {
  machine::ConsoleKind kind;
  std::string_view pattern;                     // "Killed process {pid:d} ({task})"
  bool collects;                                // the lines that follow belong to it
};

std::span<const KernelPattern> kernel_patterns();

struct PrintkLine {
  std::uint64_t kernel_us = 0;
  std::string_view text;                        // behind the prefix
};

/// "[    1.234567] text", also with <level>, [T12]/[C0] caller, or behind other text on the same line. nullopt: no printk prefix.
std::optional<PrintkLine> strip_printk(std::string_view line);

/// The first row that fits.
struct PatternMatch {
  const KernelPattern* row = nullptr;
  std::map<std::string, std::string> captured;
};
std::optional<PatternMatch> match_kernel_line(std::string_view text);

}  // namespace vigil::console
