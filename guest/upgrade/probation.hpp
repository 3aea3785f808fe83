// The first seconds of an agent that has taken another one's place: a crash goes back to that one, with the state as it was after the last turn of the loop.
//
// Shape:  made before anything else is; look() after each turn writes the state down anew, into that of two files which is not the last one. end() gives the way back up.
//         A crash within a turn loses what that turn has done: a child that was reaped in it counts as ended with an unknown status.
// Thread: the loop's. Source: guest/init/crash_guard.
#pragma once

#include "guest/init/crash_guard.hpp"
#include "guest/upgrade/kept_agent.hpp"
#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <chrono>
#include <memory>
#include <vector>

namespace vigil::guest::upgrade {

inline constexpr std::chrono::seconds probation_time{10};

class Probation {
public:
  /// `state` and `program` as the life before left them; the descriptors in the state are still open over an exec.
  Probation(UniqueFd state, UniqueFd program);
  Probation(const Probation&) = delete;
  Probation& operator=(const Probation&) = delete;
  ~Probation() { end(); }

  /// The state has been read: these are to be left open.
  void know(const std::vector<int>& descriptors);
  /// An error of `kept` leaves the way back as it is.
  void look(const Result<KeptAgent>& kept);
  void end();

private:
  void arm(int state, const std::vector<int>& descriptors);

  UniqueFd first_, program_, states_[2];
  std::unique_ptr<init::WayBack> ways_[2];
  std::size_t turn_ = 0;
};

}  // namespace vigil::guest::upgrade
