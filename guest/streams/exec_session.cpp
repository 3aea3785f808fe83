#include "guest/streams/exec_session.hpp"

#include "guest/log/log.hpp"
#include "guest/streams/exec_plan.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace vigil::guest::streams {

using namespace std::chrono_literals;
using process::LaunchStep;
using vigil::streams::Channel;
using vigil::streams::ExecOpening;

namespace {

constexpr auto terminal_grace = 500ms;   // the kernel hands a terminal's last output over in its own time
constexpr char end_of_file = 4;          // ^D

void make_non_blocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

struct Pipe { UniqueFd reader, writer; };

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("pipe", errno);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Error explain(const process::LaunchFailure& failure, const process::LaunchPlan& plan) {
  switch (failure.step) {
    case LaunchStep::exec: return Error::from_errno(plan.argv.front(), failure.error);
    case LaunchStep::cwd: return Error::from_errno("directory " + plan.cwd, failure.error);
    case LaunchStep::groups:
    case LaunchStep::user: return Error::from_errno("change the user", failure.error);
    case LaunchStep::clone:
    case LaunchStep::session:
    case LaunchStep::descriptors:
    case LaunchStep::capabilities:
    case LaunchStep::terminal:
    case LaunchStep::limits: break;
  }
  return Error(Errc::io, "start " + plan.argv.front() + ": " + std::string(to_text(failure.step)) + ": " + std::strerror(failure.error));
}

}  // namespace

Result<std::shared_ptr<ExecSession>> ExecSession::start(const ExecHost& host, std::string id, const ExecOpening& opening, std::function<void(ExecSession&)> exited) {
  auto session = std::make_shared<ExecSession>(host, std::move(id), opening.detach, std::move(exited));
  TRY_VOID(session->launch(opening));
  return session;
}

ExecSession::ExecSession(const ExecHost& host, std::string id, bool alone, std::function<void(ExecSession&)> exited)
    : host_(host), id_(std::move(id)), alone_(alone), exited_(std::move(exited)), input_(host.loop, [this] {
        finish_input_if_drained();
        if (listener_) listener_->input_drained();
      }) {}

ExecSession::~ExecSession() {
  if (pid_ > 0 && !exit_) host_.reaper.forget(pid_);
  if (cgroup_) ::rmdir(cgroup_.path().c_str());   // as long as something runs in it, it stays
}

Result<void> ExecSession::launch(const ExecOpening& opening) {
  TRY(plan, plan_exec(opening, host_.env));
  std::list<UniqueFd> theirs;   // the child's ends; closed here once it has them
  TRY_VOID(opening.terminal ? use_terminal(plan, theirs, *opening.terminal) : open_pipes(plan, theirs, opening.with_stdin));
  if (!host_.cgroup_root.empty()) {
    if (auto cgroup = process::Cgroup::make(host_.cgroup_root, "exec." + id_, {})) cgroup_ = std::move(*cgroup);
  }
  plan.cgroup_fd = cgroup_.fd();
  auto launched = host_.launcher.launch(plan);
  if (const auto* failure = std::get_if<process::LaunchFailure>(&launched)) {
    if (failure->pid > 0) host_.reaper.expect(failure->pid, [](const process::ProcessEnd&) {});
    return explain(*failure, plan);
  }
  pid_ = std::get<process::Launched>(launched).pid;
  host_.reaper.expect(pid_, [this](const process::ProcessEnd& end) { died(end); });
  log::info("exec.started", {{"exec", id_}, {"pid", pid_}, {"program", plan.argv.front()}, {"user", opening.user}});
  return {};
}

Result<void> ExecSession::open_pipes(process::LaunchPlan& plan, std::list<UniqueFd>& theirs, bool with_stdin) {
  TRY(out, make_pipe());
  TRY(err, make_pipe());
  plan.stdout_fd = theirs.emplace_back(std::move(out.writer)).get();
  plan.stderr_fd = theirs.emplace_back(std::move(err.writer)).get();
  add_output(Channel::out, std::move(out.reader));
  add_output(Channel::err, std::move(err.reader));
  if (!with_stdin) return {};
  TRY(in, make_pipe());
  plan.stdin_fd = theirs.emplace_back(std::move(in.reader)).get();
  input_fd_ = std::move(in.writer);
  make_non_blocking(input_fd_.get());
  input_.open(input_fd_.get());
  return {};
}

Result<void> ExecSession::use_terminal(process::LaunchPlan& plan, std::list<UniqueFd>& theirs, const vigil::streams::TerminalSize& size) {
  TRY(terminal, open_terminal(size));
  const int secondary = theirs.emplace_back(std::move(terminal.secondary)).get();
  plan.stdin_fd = plan.stdout_fd = plan.stderr_fd = secondary;
  plan.has_terminal = true;
  terminal_ = std::move(terminal.primary);
  input_fd_.reset(::fcntl(terminal_.get(), F_DUPFD_CLOEXEC, 0));   // epoll takes a descriptor once, and reading has one
  input_.open(input_fd_.get());
  add_output(Channel::out, UniqueFd(::fcntl(terminal_.get(), F_DUPFD_CLOEXEC, 0)));
  return {};
}

void ExecSession::add_output(Channel channel, UniqueFd fd) {
  make_non_blocking(fd.get());
  outputs_.emplace_back(host_.loop, channel, std::move(fd), [this] { changed(); });
}

void ExecSession::attach(ExecListener& listener) {
  if (auto* const former = std::exchange(listener_, &listener); former && former != &listener) former->replaced();
  for (auto& output : outputs_) output.attach(true);
}

void ExecSession::detach(const ExecListener& listener) {
  if (listener_ != &listener) return;
  listener_ = nullptr;
  for (auto& output : outputs_) output.attach(false);
}

bool ExecSession::has_output_ended() const {
  return std::all_of(outputs_.begin(), outputs_.end(), [](const OutputSource& each) { return each.has_ended(); });
}

void ExecSession::write_input(std::string_view bytes) { input_.write(bytes); }

void ExecSession::end_input() {
  if (terminal_) return input_.write({&end_of_file, 1});
  input_ending_ = true;
  finish_input_if_drained();
}

void ExecSession::finish_input_if_drained() {
  if (!input_ending_ || !input_.is_empty()) return;
  input_.close();
  input_fd_.reset();
}

void ExecSession::signal(int number) {
  if (!exit_) ::kill(-pid_, number);   // its group: it is the leader of a session of its own
}

void ExecSession::resize(const vigil::streams::TerminalSize& size) {
  if (terminal_) resize_terminal(terminal_.get(), size);
}

void ExecSession::died(const process::ProcessEnd& end) {
  exit_ = end.status;
  input_.close();
  input_fd_.reset();
  if (terminal_ && !has_output_ended()) terminal_grace_ = host_.loop.after(terminal_grace, [this] { drain_outputs(); });
  else drain_outputs();
  exited_(*this);
}

void ExecSession::drain_outputs() {
  for (auto& output : outputs_) output.drain();
  changed();
}

KeptExec ExecSession::keep() const {
  KeptExec kept{id_, alone_, pid_, {}, terminal_.get(), terminal_ ? -1 : input_fd_.get(), std::string(input_.waiting()), input_ending_, exit_};
  for (const auto& output : outputs_) kept.outputs.push_back(output.keep());
  return kept;
}

std::shared_ptr<ExecSession> ExecSession::resume(const ExecHost& host, const KeptExec& kept, std::function<void(ExecSession&)> exited) {
  auto session = std::make_shared<ExecSession>(host, kept.id, kept.alone, std::move(exited));
  session->continue_from(kept);
  return session;
}

void ExecSession::continue_from(const KeptExec& kept) {
  pid_ = kept.pid;
  exit_ = kept.exit;
  if (!host_.cgroup_root.empty()) {
    if (auto cgroup = process::Cgroup::make(host_.cgroup_root, "exec." + id_, {})) cgroup_ = std::move(*cgroup);
  }
  for (const auto& output : kept.outputs) outputs_.emplace_back(host_.loop, output, [this] { changed(); });
  terminal_.reset(kept.terminal_fd);
  input_fd_.reset(kept.input_fd);
  if (exit_) {
    if (!has_output_ended()) terminal_grace_ = host_.loop.after(terminal_grace, [this] { drain_outputs(); });
    return;
  }
  if (terminal_) input_fd_.reset(::fcntl(terminal_.get(), F_DUPFD_CLOEXEC, 0));
  if (input_fd_) input_.open(input_fd_.get());
  input_.write(kept.input);
  input_ending_ = kept.input_ending;
  finish_input_if_drained();
  host_.reaper.expect_again(pid_, [this](const process::ProcessEnd& end) { died(end); });
}

void ExecSession::changed() {
  if (exit_ && has_output_ended()) terminal_grace_.cancel();
  if (listener_) listener_->session_changed();
}

}  // namespace vigil::guest::streams
