#include "guest/streams/output_source.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace vigil::guest::streams {

using vigil::streams::Channel;

namespace {
constexpr std::size_t block_bytes = 64 * 1024, left_by_the_dead = 1024 * 1024;   // a pipe holds 64 KiB; more only when others still write
}

OutputSource::OutputSource(EventLoop& loop, Channel channel, UniqueFd fd, std::function<void()> changed)
    : loop_(loop), channel_(channel), fd_(std::move(fd)), changed_(std::move(changed)) {
  watch();
}

OutputSource::OutputSource(EventLoop& loop, const KeptOutput& kept, std::function<void()> changed)
    : loop_(loop), channel_(kept.channel), fd_(kept.fd), changed_(std::move(changed)), kept_(kept.kept), lost_(kept.lost), taken_(kept.taken), attached_(false),
      ended_(kept.ended) {
  if (fd_) watch();
}

void OutputSource::watch() {
  watch_ = loop_.watch(fd_.get(), EPOLLIN, [this](std::uint32_t) { on_ready(); });
}

void OutputSource::attach(bool attached) {
  attached_ = attached;
  if (!attached_ && kept_.size() > max_kept) {
    lost_ += kept_.size() - max_kept;
    kept_.erase(0, kept_.size() - max_kept);
  }
  update_watch();
}

std::string OutputSource::take() {
  auto bytes = std::exchange(kept_, {});
  taken_ += bytes.size();
  update_watch();
  return bytes;
}

std::uint64_t OutputSource::take_lost() { return std::exchange(lost_, 0); }

void OutputSource::drain() {
  if (ended_) return;
  read_some(left_by_the_dead);
  ended_ = true;
  update_watch();
}

void OutputSource::on_ready() {
  const bool more = read_some(block_bytes);
  if (!more) {
    ended_ = true;
    watch_.cancel();
    fd_.reset();
  }
  update_watch();
  changed_();
}

bool OutputSource::read_some(std::size_t limit) {
  static char block[block_bytes];
  for (std::size_t got = 0; got < limit;) {
    const ssize_t count = ::read(fd_.get(), block, std::min(sizeof block, limit - got));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;   // EIO: a terminal without programs
    if (count == 0) return false;
    got += static_cast<std::size_t>(count);
    if (ended_) continue;                    // not the program's own any more
    kept_.append(block, static_cast<std::size_t>(count));
    if (attached_ || kept_.size() <= max_kept) continue;
    lost_ += kept_.size() - max_kept;
    kept_.erase(0, kept_.size() - max_kept);
  }
  return true;
}

void OutputSource::update_watch() {
  if (!watch_) return;
  const bool reads = ended_ || !attached_ || kept_.size() < max_kept;
  if (std::exchange(reading_, reads) != reads) loop_.rearm(watch_, reads ? EPOLLIN : 0U);
}

}  // namespace vigil::guest::streams
