// An agent's replacement by another build, up to the exec: program checked, state readable, trial passed, then the exec of the same process.
//
// Shape:  one at a time; begin() ends in `refused`, from the loop or at once, or in the exec, from which nothing returns. Until then nothing has changed.
//         What cannot be handed over now (a stream whose connection is being made) is waited for, at most `patience`.
// Errors: refused says which step, and why. Thread: the loop's.
// Source: execve(2): descriptors without FD_CLOEXEC, children, the signal mask and pending signals stay.
#pragma once

#include "guest/upgrade/kept_agent.hpp"
#include "guest/upgrade/trial.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace vigil::guest::upgrade {

struct UpgradeTools {
  EventLoop& loop;
  process::Launcher& launcher;
  process::Reaper& reaper;
  int scale = 1;
  /// Errors: in words, what stands in the way now.
  std::function<Result<KeptAgent>()> keep;
};

class Upgrade {
public:
  using Refused = std::function<void(const Error&)>;

  explicit Upgrade(UpgradeTools tools) : tools_(std::move(tools)) {}
  Upgrade(const Upgrade&) = delete;
  Upgrade& operator=(const Upgrade&) = delete;

  /// `request`: of the host, which the next agent answers.
  void begin(std::uint64_t request, const std::string& path, const std::string& sha256, Refused refused);

private:
  void when_possible(std::function<void(KeptAgent)> then);
  void try_it(KeptAgent kept);
  void execute(KeptAgent kept);
  void refuse(const Error& error);

  UpgradeTools tools_;
  Refused refused_;  // set: one is under way
  std::uint64_t request_ = 0;
  std::string to_build_;
  UniqueFd program_, state_;
  std::optional<Trial> trial_;
  MonoUs waiting_since_us_ = 0;
  LoopToken again_;
};

}  // namespace vigil::guest::upgrade
