#include "guest/process/output_tail.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace vigil::guest::process {

OutputTail::OutputTail(OutputTail&& other) noexcept
    : ring_(std::exchange(other.ring_, nullptr)), total_(std::exchange(other.total_, 0)), unkept_(std::exchange(other.unkept_, 0)) {}

OutputTail& OutputTail::operator=(OutputTail&& other) noexcept {
  std::swap(ring_, other.ring_);
  std::swap(total_, other.total_);
  std::swap(unkept_, other.unkept_);
  return *this;
}

OutputTail::~OutputTail() {
  if (ring_ != nullptr) munmap(ring_, capacity);
}

void OutputTail::append(std::string_view bytes) {
  if (bytes.empty()) return;
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

std::size_t OutputTail::kept() const {
  return static_cast<std::size_t>(std::min<std::uint64_t>(total_ - unkept_, capacity));
}

std::string OutputTail::text() const {
  const std::size_t length = kept();
  std::string text;
  if (length == 0) return text;
  text.reserve(length);
  const std::size_t at = static_cast<std::size_t>((total_ - length) % capacity);
  const std::size_t first = std::min(length, capacity - at);
  text.append(ring_ + at, first);
  text.append(ring_, length - first);
  return text;
}

}  // namespace vigil::guest::process
