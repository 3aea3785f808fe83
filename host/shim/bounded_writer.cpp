#include "host/shim/bounded_writer.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace vigil::shim {

namespace {

constexpr std::size_t memory_bytes = 256 << 10;
constexpr std::uint64_t give_back_step = 1 << 20;   // a hole is made for that many bytes at a time
constexpr std::size_t max_lost_ranges = 256;

}  // namespace

BoundedWriter::BoundedWriter(UniqueFd file, const KeepCaps& caps) : file_(std::move(file)), caps_(caps), given_back_to_(caps.head_bytes) {}

void BoundedWriter::append(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::size_t stored = store(bytes);
  if (stored < bytes.size()) note_lost(size_ + stored, size_ + bytes.size());
  size_ += bytes.size();
  remember(bytes);
  give_back(give_back_step);
}

/// How many bytes from the start of `bytes` reached the file.
std::size_t BoundedWriter::store(std::string_view bytes) const {
  if (!can_give_back_ && size_ + bytes.size() > caps_.head_bytes + caps_.tail_bytes) return 0;
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::pwrite(file_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(size_ + done));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) break;   // disk full, quota, I/O error: the console goes on
    done += static_cast<std::size_t>(put);
  }
  return done;
}

void BoundedWriter::remember(std::string_view bytes) {
  recent_.append(bytes);
  if (recent_.size() > 2 * memory_bytes) recent_.erase(0, recent_.size() - memory_bytes);
}

void BoundedWriter::note_lost(std::uint64_t begin, std::uint64_t end) {
  lost_bytes_ += end - begin;
  const bool extends = !lost_.empty() && (lost_.back().end == begin || lost_.size() == max_lost_ranges);
  if (extends) lost_.back().end = end;
  else lost_.push_back({begin, end});
}

void BoundedWriter::give_back(std::uint64_t step) {
  const Gap gap = gap_of(size_, caps_);
  if (!can_give_back_ || gap.tail_begin < given_back_to_ + step) return;
  const int done = ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(given_back_to_),
                               static_cast<off_t>(gap.tail_begin - given_back_to_));
  if (done != 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) can_give_back_ = false;
  if (done == 0) given_back_to_ = gap.tail_begin;
}

void BoundedWriter::finish() {
  give_back(1);
  // The tail may be bytes that the disk refused. Nobody is left to act on a failure here: what counts is in the exit record.
  if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) return;
  ::fdatasync(file_.get());
}

Piece BoundedWriter::read(std::uint64_t offset, std::size_t max_bytes) const {
  Piece piece{offset, {}, 0};
  if (offset >= size_) return piece;
  if (offset >= recent_begin()) {
    piece.bytes = recent_.substr(offset - recent_begin(), max_bytes);
    return piece;
  }
  std::uint64_t end = std::min<std::uint64_t>(recent_begin(), offset + max_bytes);
  const auto clip = [&](std::uint64_t hole_begin, std::uint64_t hole_end) {
    if (offset >= hole_begin && offset < hole_end) piece.lost = std::min(hole_end, recent_begin()) - offset;
    if (offset < hole_begin) end = std::min(end, hole_begin);
  };
  const Gap gap = gap_of(size_, caps_);
  if (gap.bytes() > 0) clip(gap.head_end, gap.tail_begin);
  for (const Range& range : lost_) clip(range.begin, range.end);
  if (piece.lost > 0) return piece;
  piece.bytes.resize(end - offset);
  const ssize_t got = ::pread(file_.get(), piece.bytes.data(), piece.bytes.size(), static_cast<off_t>(offset));
  piece.bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  if (got <= 0) piece.lost = end - offset;   // the file cannot be read: say so and go on
  return piece;
}

std::string BoundedWriter::last(std::size_t max_bytes) const {
  return recent_.substr(recent_.size() - std::min(recent_.size(), max_bytes));
}

}  // namespace vigil::shim
