#include "guest/upgrade/trial.hpp"

#include "guest/config/build_identity.hpp"
#include "guest/link/vsock_dial.hpp"
#include "guest/supervisor/supervisor.hpp"
#include "guest/upgrade/codec.hpp"
#include "guest/upgrade/memory_file.hpp"
#include "shared/base/encoding.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

namespace vigil::guest::upgrade {
namespace {

constexpr std::string_view passed = "passed build ";
constexpr std::size_t most_words = 1024;
constexpr int state_target = 3, program_target = 4;   // of the child's descriptors
constexpr int link_patience_ms = 3000;

std::string last_line(const std::string& words) {
  std::string_view text = words;
  while (text.ends_with('\n')) text.remove_suffix(1);
  text = text.substr(text.rfind('\n') + 1);   // npos + 1 is 0
  return escape_for_terminal(text.substr(0, 300), Lines::escape);
}

/// Opened and closed without a word: the link of this boot stays the one that there is.
Result<void> try_link() {
  link::VsockDialler dialler;
  TRY(fd, dialler.dial());
  pollfd writable{fd.get(), POLLOUT, 0};
  if (::poll(&writable, 1, link_patience_ms) != 1) return Error(Errc::timeout, "the link: the host does not answer");
  int failure = 0;
  socklen_t size = sizeof failure;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
  if (failure != 0) return Error::from_errno("the link", failure);
  return {};
}

Result<void> judge_state(int state_fd, const std::string& services_directory) {
  TRY(bytes, read_state(state_fd));
  TRY(decoded, decode(bytes));
  const protocol::GuestConfig config = decoded.kept.line.welcome ? decoded.kept.line.welcome->config : protocol::GuestConfig{};
  TRY_VOID(supervisor::check_resumable(service_spec::load_service_specs(services_directory, config.services), decoded.kept.supervisor));
  return try_link();
}

}  // namespace

Trial::~Trial() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
  if (pid_ > 0) reaper_.forget(pid_);
}

void Trial::start(int program, int state, std::chrono::milliseconds limit, Done done) {
  done_ = std::move(done);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return finish(Error::from_errno("pipe", errno));
  reader_.reset(ends[0]);
  ::fcntl(reader_.get(), F_SETFL, O_NONBLOCK);
  const UniqueFd writer(ends[1]);
  process::LaunchPlan plan;
  plan.argv = {"/proc/self/fd/" + std::to_string(program_target), "upgrade-trial", std::to_string(state_target)};
  plan.passed = {{state, state_target}, {program, program_target}};
  plan.stdout_fd = plan.stderr_fd = writer.get();
  auto launched = launcher_.launch(plan);
  if (const auto* failure = std::get_if<process::LaunchFailure>(&launched)) {
    if (failure->pid > 0) reaper_.expect(failure->pid, [](const process::ProcessEnd&) {});
    return finish(Error(Errc::unsupported, std::string("the new agent cannot be executed: ") + std::strerror(failure->error)));
  }
  pid_ = std::get<process::Launched>(launched).pid;
  reaper_.expect(pid_, [this](const process::ProcessEnd& end) { ended(end); });
  readable_ = loop_.watch(reader_.get(), EPOLLIN, [this](std::uint32_t) { read_words(); });
  deadline_ = loop_.after(limit, [this] {
    is_late_ = true;
    ::kill(pid_, SIGKILL);
  });
}

void Trial::read_words() {
  char block[512];
  const ssize_t count = ::read(reader_.get(), block, sizeof block);
  if (count < 0) return;
  if (count == 0 || words_.size() >= most_words) return readable_.cancel();   // who says more waits on its full pipe, for its deadline
  words_.append(block, static_cast<std::size_t>(count));
}

void Trial::ended(const process::ProcessEnd& end) {
  pid_ = 0;
  deadline_.cancel();
  if (readable_) read_words();
  readable_.cancel();
  const std::string said = last_line(words_);
  const auto* code = std::get_if<protocol::ExitCode>(&end.status);
  if (code && code->code == 0 && said.starts_with(passed)) return finish(said.substr(passed.size()));
  const std::string how = is_late_ ? "did not end in time" : "ended with " + protocol::to_text(end.status);
  finish(Error(Errc::unsupported, "the new agent was tried and " + how + (said.empty() ? "" : ": " + said)));
}

void Trial::finish(const Result<std::string>& result) {
  loop_.post([done = std::exchange(done_, nullptr), result] {
    if (done) done(result);
  });
}

int be_tried(int state_fd, const std::string& services_directory) {
  if (const auto judged = judge_state(state_fd, services_directory); !judged) {
    std::printf("%s\n", judged.error().message().c_str());
    return 1;
  }
  std::printf("%s%s\n", std::string(passed).c_str(), config::build_id().c_str());
  return 0;
}

}  // namespace vigil::guest::upgrade
