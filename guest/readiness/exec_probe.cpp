#include "guest/readiness/exec_probe.hpp"

#include <csignal>
#include <cstring>
#include <utility>

namespace vigil::guest::readiness {
namespace {
constexpr std::chrono::milliseconds longest_run{10'000};   // times the deadline scale
}  // namespace

ExecProbe::ExecProbe(const service_spec::ExecProbe& spec, ProbeTools& tools, ProbeEvents events)
    : tools_(tools), events_(std::move(events)), interval_(spec.interval) {
  plan_.argv = spec.argv;
}

ExecProbe::~ExecProbe() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);   // not reaped yet, so the pid is still its own
  tools_.reaper.expect(pid_, [](const process::ProcessEnd&) {});
}

Result<void> ExecProbe::prepare(process::LaunchPlan& plan) {
  plan_.env = plan.env;
  plan_.cwd = plan.cwd;
  plan_.credentials = plan.credentials;
  plan_.cgroup_fd = plan.cgroup_fd;
  return {};
}

void ExecProbe::begin(const process::ProcessGroup&) { run(); }

void ExecProbe::run() {
  auto outcome = tools_.launcher.launch(plan_);
  if (const auto* failure = std::get_if<process::LaunchFailure>(&outcome)) {
    seen_ = plan_.argv.front() + ": " + std::strerror(failure->error);
    if (failure->pid > 0) tools_.reaper.expect(failure->pid, [](const process::ProcessEnd&) {});
    run_later();
    return;
  }
  pid_ = std::get<process::Launched>(outcome).pid;
  tools_.reaper.expect(pid_, [this](const process::ProcessEnd& end) { ended(end); });
  overtime_ = tools_.loop.after(longest_run * tools_.deadline_scale, [this] {
    if (pid_ != 0) kill(pid_, SIGKILL);
  });
}

void ExecProbe::ended(const process::ProcessEnd& end) {
  pid_ = 0;
  overtime_.cancel();
  seen_ = plan_.argv.front() + " ended with " + protocol::to_text(end.status);
  const auto* code = std::get_if<protocol::ExitCode>(&end.status);
  if (code == nullptr || code->code != 0)
    run_later();
  else
    events_.passed();
}

void ExecProbe::run_later() {
  next_ = tools_.loop.after(interval_, [this] { run(); });
}

}  // namespace vigil::guest::readiness
