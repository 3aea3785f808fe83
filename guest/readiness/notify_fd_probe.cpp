#include "guest/readiness/notify_fd_probe.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

namespace vigil::guest::readiness {

NotifyFdProbe::NotifyFdProbe(const service_spec::NotifyFdProbe& spec, ProbeTools& tools, ProbeEvents events)
    : target_(spec.fd), loop_(tools.loop), events_(std::move(events)) {}

Result<void> NotifyFdProbe::prepare(process::LaunchPlan& plan) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("pipe for notify-fd", errno);
  reader_.reset(ends[0]);
  writer_.reset(ends[1]);
  fcntl(reader_.get(), F_SETFL, O_NONBLOCK);
  plan.passed.push_back({writer_.get(), target_});
  return {};
}

void NotifyFdProbe::begin(const process::ProcessGroup&) {
  writer_.reset();
  if (!reader_) return;
  token_ = loop_.watch(reader_.get(), EPOLLIN, [this](std::uint32_t) { read_line(); });
}

void NotifyFdProbe::read_line() {
  char block[512];
  const ssize_t length = read(reader_.get(), block, sizeof block);
  if (length < 0) return;
  if (length == 0) {
    token_.cancel();
    seen_ = "descriptor " + std::to_string(target_) + " was closed without a line";
    return;
  }
  if (std::string_view(block, static_cast<std::size_t>(length)).find('\n') == std::string_view::npos) return;
  token_.cancel();
  events_.passed();
}

}  // namespace vigil::guest::readiness
