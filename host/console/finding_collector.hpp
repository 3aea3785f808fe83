// Plain console lines -> findings, with the lines that belong to each, under a rate. Private to this folder.
#pragma once

#include "host/console/kernel_patterns.hpp"
#include "host/console/rate.hpp"
#include "host/machine/console_finding.hpp"

#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace vigil::console {

class FindingCollector {
public:
  void take_line(std::string_view line, MonoUs now_us, std::vector<machine::ConsoleFinding>& found);
  /// Ends the block under collection; reports what was suppressed since the last time.
  void flush(std::vector<machine::ConsoleFinding>& found);
  bool open() const { return block_.has_value() || !suppressed_.empty(); }

private:
  struct Block {
    machine::ConsoleFinding finding;
    bool was_told = false;                       // a panic is told before its lines are there
  };
  void begin(const PrintkLine& line, PatternMatch match, MonoUs now_us, std::vector<machine::ConsoleFinding>& found);
  void collect(std::string_view text, std::vector<machine::ConsoleFinding>& found);
  void close(std::vector<machine::ConsoleFinding>& found);

  std::optional<Block> block_;
  std::map<machine::ConsoleKind, Rate> rates_;
  std::map<machine::ConsoleKind, std::uint64_t> suppressed_;
  MonoUs suppressed_since_ = 0;
};

}  // namespace vigil::console
