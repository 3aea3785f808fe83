#include "host/console/finding_collector.hpp"

#include "shared/base/encoding.hpp"

namespace vigil::console {

using machine::ConsoleFinding;
using machine::ConsoleKind;

namespace {

constexpr std::size_t max_text_bytes = 512;
constexpr std::size_t max_capture_bytes = 256;
constexpr std::size_t max_lines = 40;
constexpr std::size_t max_line_bytes = 256;
constexpr std::uint64_t findings_at_once = 8;
constexpr std::uint64_t findings_a_second = 1;
constexpr MonoUs told_every_us = 1'000'000;

bool is_panic(ConsoleKind kind) { return kind == ConsoleKind::panic || kind == ConsoleKind::init_killed; }

/// "---[ end Kernel panic - not syncing: ... ]---", "---[ end trace 0000000000000000 ]---".
bool ends_block(std::string_view text, ConsoleKind kind) {
  return text.find(is_panic(kind) ? "---[ end Kernel panic" : "---[ end trace") != std::string_view::npos;
}

ConsoleFinding make_finding(const PrintkLine& line, const PatternMatch& match) {
  ConsoleFinding finding{.kind = match.row->kind, .text = to_valid_utf8(line.text, max_text_bytes), .captured = {}, .lines = {}, .kernel_us = line.kernel_us};
  for (const auto& [name, value] : match.captured) finding.captured.emplace(name, to_valid_utf8(value, max_capture_bytes));
  return finding;
}

}  // namespace

void FindingCollector::take_line(std::string_view line, MonoUs now_us, std::vector<ConsoleFinding>& found) {
  if (!suppressed_.empty() && now_us >= suppressed_since_ + told_every_us) flush(found);
  const auto kernel_line = strip_printk(line.substr(0, max_text_bytes));   // the bound also bounds the work that a hostile line can make
  if (!kernel_line) return;
  auto match = match_kernel_line(kernel_line->text);
  const bool ends = block_ && ends_block(kernel_line->text, block_->finding.kind);   // repeats the panic's own words
  if (match && !ends) return begin(*kernel_line, std::move(*match), now_us, found);
  if (block_) collect(kernel_line->text, found);
}

void FindingCollector::begin(const PrintkLine& line, PatternMatch match, MonoUs now_us, std::vector<ConsoleFinding>& found) {
  auto finding = make_finding(line, match);
  // Within a trace, lines of its own kind (the page fault behind the BUG) belong to it; a panic is always news.
  if (block_ && match.row->collects && !is_panic(finding.kind)) return collect(line.text, found);
  if (block_ && is_panic(finding.kind)) close(found);
  if (block_) collect(line.text, found);
  auto& rate = rates_.try_emplace(finding.kind, findings_at_once, findings_a_second).first->second;
  if (!rate.allows(now_us)) {
    if (suppressed_.empty()) suppressed_since_ = now_us;
    ++suppressed_[finding.kind];
    return;
  }
  const bool is_told = !match.row->collects || is_panic(finding.kind);
  if (is_told) found.push_back(finding);
  if (match.row->collects) block_ = Block{std::move(finding), is_told};
}

void FindingCollector::collect(std::string_view text, std::vector<ConsoleFinding>& found) {
  if (!block_) return;
  auto& lines = block_->finding.lines;
  lines.push_back(to_valid_utf8(text, max_line_bytes));
  if (lines.size() >= max_lines || ends_block(text, block_->finding.kind)) close(found);
}

void FindingCollector::close(std::vector<ConsoleFinding>& found) {
  if (!block_) return;
  if (!block_->was_told || !block_->finding.lines.empty()) found.push_back(std::move(block_->finding));
  block_.reset();
}

void FindingCollector::flush(std::vector<ConsoleFinding>& found) {
  close(found);
  for (const auto& [kind, count] : suppressed_) {
    ConsoleFinding finding{.kind = ConsoleKind::suppressed, .text = {}, .captured = {}, .lines = {}};
    finding.text = std::to_string(count) + " more of kind " + std::string(to_text(kind));
    finding.captured.emplace("kind", std::string(to_text(kind)));
    finding.count = count;
    found.push_back(std::move(finding));
  }
  suppressed_.clear();
}

}  // namespace vigil::console
