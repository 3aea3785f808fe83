#include "guest/process/output_tail.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace vigil::guest::process {
namespace {
constexpr MonoUs same_time_us = 10'000;
}

void OutputTail::release() {
  if (ring_ != nullptr) munmap(ring_, capacity);
  ring_ = nullptr;
  unkept_ = total_;
  mark_count_ = 0;
}

void OutputTail::append(std::string_view bytes, MonoUs at_us) {
  if (bytes.empty()) return;
  mark(at_us);
  if (ring_ == nullptr) {
    void* memory = mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
      total_ += bytes.size();
      unkept_ = total_;
      return;
    }
    ring_ = static_cast<char*>(memory);
  }
  if (bytes.size() > capacity) {
    total_ += bytes.size() - capacity;
    bytes.remove_prefix(bytes.size() - capacity);
  }
  const std::size_t at = static_cast<std::size_t>(total_ % capacity);
  const std::size_t first = std::min(bytes.size(), capacity - at);
  std::memcpy(ring_ + at, bytes.data(), first);
  std::memcpy(ring_, bytes.data() + first, bytes.size() - first);
  total_ += bytes.size();
}

/// When there is no place left for a time, every second one goes: what is old is told less exactly.
void OutputTail::mark(MonoUs at_us) {
  if (at_us == 0 || (mark_count_ > 0 && at_us < marks_[mark_count_ - 1].at_us + same_time_us)) return;
  if (mark_count_ == marks_.size()) {
    for (std::size_t i = 0; i < marks_.size() / 2; ++i) marks_[i] = marks_[2 * i];
    mark_count_ = marks_.size() / 2;
  }
  marks_[mark_count_++] = {total_, at_us};
}

std::uint64_t OutputTail::kept_from() const { return total_ - std::min<std::uint64_t>(total_ - unkept_, capacity); }
std::size_t OutputTail::text_bytes() const { return static_cast<std::size_t>(total_ - std::max(begin_, kept_from())); }
std::string OutputTail::text() const { return copy(total_ - text_bytes(), text_bytes()); }

OutputTail::Piece OutputTail::read(std::uint64_t offset, std::size_t max_bytes) const {
  Piece piece;
  piece.offset = std::clamp(offset, kept_from(), total_);
  std::uint64_t end = total_;
  for (std::size_t i = 0; i < mark_count_; ++i) {
    if (marks_[i].offset > piece.offset) {
      end = marks_[i].offset;
      break;
    }
    piece.at_us = marks_[i].at_us;
  }
  piece.bytes = copy(piece.offset, static_cast<std::size_t>(std::min<std::uint64_t>(end - piece.offset, max_bytes)));
  return piece;
}

KeptTail OutputTail::keep() const {
  KeptTail kept{begin_, total_, copy(kept_from(), static_cast<std::size_t>(total_ - kept_from())), {}};
  for (std::size_t i = 0; i < mark_count_; ++i) kept.marks.emplace_back(marks_[i].offset, marks_[i].at_us);
  return kept;
}

void OutputTail::resume(const KeptTail& kept) {
  const std::string_view bytes = std::string_view(kept.bytes).substr(0, capacity);
  total_ = unkept_ = kept.end - std::min<std::uint64_t>(bytes.size(), kept.end);
  append(bytes);
  begin_ = std::min(kept.begin, total_);
  mark_count_ = 0;
  for (const auto& [offset, at_us] : kept.marks)
    if (mark_count_ < marks_.size() && offset <= total_) marks_[mark_count_++] = {offset, at_us};
}

std::string OutputTail::copy(std::uint64_t offset, std::size_t length) const {
  std::string text;
  if (length == 0) return text;
  text.reserve(length);
  const std::size_t at = static_cast<std::size_t>(offset % capacity);
  const std::size_t first = std::min(length, capacity - at);
  text.append(ring_ + at, first);
  text.append(ring_, length - first);
  return text;
}

}  // namespace vigil::guest::process
