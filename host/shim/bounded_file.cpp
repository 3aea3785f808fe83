#include "host/shim/bounded_file.hpp"

#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace vigil::shim {

Gap gap_of(std::uint64_t size, const KeepCaps& caps) {
  const std::uint64_t head_end = std::min(size, caps.head_bytes);
  return {head_end, std::max(head_end, size - std::min(size, caps.tail_bytes))};
}

namespace {

Result<std::string> read_range(const UniqueFd& file, std::uint64_t begin, std::uint64_t end) {
  std::string bytes(end - begin, '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::pread(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(begin + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno("read", errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace

Result<KeptText> read_kept(const std::string& path, const KeepCaps& caps) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return KeptText{};
  if (!file) return Error::from_errno("open " + path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return Error::from_errno("stat " + path, errno);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const Gap gap = gap_of(size, caps);
  KeptText kept;
  kept.gap_bytes = gap.bytes();
  TRY(head, read_range(file, 0, gap.bytes() == 0 ? size : gap.head_end));
  kept.head = std::move(head);
  if (gap.bytes() == 0) return kept;
  TRY(tail, read_range(file, gap.tail_begin, size));
  kept.tail = std::move(tail);
  return kept;
}

std::string as_text(const KeptText& kept) {
  if (kept.gap_bytes == 0) return kept.head;
  const std::string note = "[vigil: " + std::to_string(kept.gap_bytes) + " bytes not kept]\n";
  const bool at_line_start = kept.head.empty() || kept.head.back() == '\n';
  return kept.head + (at_line_start ? "" : "\n") + note + kept.tail;
}

}  // namespace vigil::shim
