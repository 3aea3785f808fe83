#include "host/shim/stream_pipe.hpp"

#include <fcntl.h>

#include <cerrno>

namespace vigil::shim {

namespace {

constexpr int pipe_bytes = 1 << 20;
constexpr std::chrono::milliseconds batch{2};

}  // namespace

Result<StreamPipe> StreamPipe::make(const std::string& path, const KeepCaps& caps) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return Error::from_errno("open " + path, errno);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("pipe", errno);
  UniqueFd out(ends[0]), in(ends[1]);
  ::fcntl(out.get(), F_SETPIPE_SZ, pipe_bytes);   // a user over his pipe limit gets a smaller one
  ::fcntl(out.get(), F_SETFL, O_NONBLOCK);        // this end only: the VMM decides about its own
  return StreamPipe(std::move(out), std::move(in), BoundedWriter(std::move(file), caps));
}

void StreamPipe::drain(TimePoint now) {
  due_ = now + batch;
  static char buffer[256 << 10];
  for (std::size_t drained = 0; out_ && drained < pipe_bytes;) {
    const ssize_t got = ::read(out_.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) out_.reset();
    else writer_.append({buffer, static_cast<std::size_t>(got)});
    if (got > 0) drained += static_cast<std::size_t>(got);
  }
}

}  // namespace vigil::shim
