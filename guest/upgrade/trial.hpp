// Whether another build can take this agent's place: it is started as a child, reads the state, and says so.
//
// Shape:  start() once; done is called from the loop, once. The child gets the state and nothing else that is ours; passed_line() is all that it has to say.
// Errors: Errc::unsupported, with the child's own words, for one that cannot be executed, refuses, crashes or does not end in time.
// Thread: the loop's.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "guest/process/launcher.hpp"
#include "guest/process/reaper.hpp"
#include "shared/base/result.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace vigil::guest::upgrade {

class Trial {
public:
  /// The build id of the one that passed.
  using Done = std::function<void(const Result<std::string>&)>;

  Trial(EventLoop& loop, process::Launcher& launcher, process::Reaper& reaper) : loop_(loop), launcher_(launcher), reaper_(reaper) {}
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial();

  void start(int program, int state, std::chrono::milliseconds limit, Done done);

private:
  void read_words();
  void ended(const process::ProcessEnd& end);
  void finish(const Result<std::string>& result);

  EventLoop& loop_;
  process::Launcher& launcher_;
  process::Reaper& reaper_;
  pid_t pid_ = 0;
  bool is_late_ = false;
  std::string words_;
  UniqueFd reader_;
  Done done_;
  LoopToken readable_, deadline_;
};

/// In the child: the state is read from `state_fd` and decoded, the services' files are compared with it, a link to the host is opened. The program's exit code.
int be_tried(int state_fd, const std::string& services_directory);

}  // namespace vigil::guest::upgrade
