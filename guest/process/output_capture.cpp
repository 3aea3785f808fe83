#include "guest/process/output_capture.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace vigil::guest::process {
namespace {
constexpr std::size_t bytes_per_turn = 128 * 1024;
constexpr std::size_t bytes_at_death = 1024 * 1024;   // a pipe holds 64 KiB; more only when others still write
}  // namespace

int OutputCapture::open() {
  token_.cancel();
  tail_.begin();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  reader_.reset(ends[0]);
  writer_.reset(ends[1]);
  fcntl(reader_.get(), F_SETFL, O_NONBLOCK);
  return writer_.get();
}

void OutputCapture::launched() {
  writer_.reset();
  watch();
}

void OutputCapture::resume(UniqueFd reader) {
  reader_ = std::move(reader);
  if (reader_) watch();
}

void OutputCapture::watch() {
  token_ = loop_.watch(reader_.get(), EPOLLIN, [this](std::uint32_t) {
    if (read_some(bytes_per_turn)) return;
    token_.cancel();
    reader_.reset();
  });
}

void OutputCapture::drain() {
  if (reader_) read_some(bytes_at_death);
}

bool OutputCapture::read_some(std::size_t limit) {
  static char block[32 * 1024];   // one loop, one thread: all streams may share it
  std::size_t taken = 0;
  while (taken < limit) {
    const ssize_t length = read(reader_.get(), block, std::min(sizeof block, limit - taken));
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return errno == EAGAIN;
    if (length == 0) return false;
    tail_.append({block, static_cast<std::size_t>(length)}, loop_.now_us());
    if (logs_ != nullptr) logs_->grew(static_cast<std::size_t>(length));
    taken += static_cast<std::size_t>(length);
  }
  return true;
}

}  // namespace vigil::guest::process
