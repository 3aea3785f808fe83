// Where the core helpers report to: the listening socket, one connection a crash, and which crash report each belongs to.
//
// Shape:  stands before the real ReportSink. A CrashReport that passes is completed with what the helper saw while its victim lived; the trace follows as
//         a CrashTrace under the same crash id when it is there, cut off where the helper ends or its time is up. The helper has spoken before the kernel
//         lets the victim die, so a report never waits. A victim that is no child of ours is told to `unreported` at
//         once, one that nobody reports soon after its death (a program that somebody ran, a service that was stopping) a little later.
// Bounds: 32 traces at once, of further crashes only the victim is taken; 256 crashes at once, the others are refused and counted. Only root may connect.
// Thread: the loop's. Source: core(5), unix(7).
#pragma once

#include "guest/evidence/core_story.hpp"
#include "guest/loop/event_loop.hpp"
#include "guest/process/process_end.hpp"
#include "guest/report/report_sink.hpp"
#include "shared/base/result.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <string>
#include <utility>

namespace vigil::guest::evidence {

class CoreIntake final : public ReportSink {
public:
  static constexpr std::size_t max_traces = 32, max_crashes = 256;

  /// A helper may take `patience`; then what it has told is all there is.
  CoreIntake(EventLoop& loop, ReportSink& sink, std::chrono::milliseconds patience);
  CoreIntake(const CoreIntake&) = delete;
  CoreIntake& operator=(const CoreIntake&) = delete;

  /// Errors: Errc::unavailable; then reports pass as they are.
  Result<void> listen(const std::string& socket_path);
  /// For a victim that no report comes for: the handler may submit one.
  void on_unreported(std::function<void(const process::ProcessEnd&)> handler) { unreported_ = std::move(handler); }

  Seq submit(protocol::ReportBody body) override;
  /// No helper is at work.
  bool is_idle() const { return crashes_.empty(); }
  std::uint64_t refused() const { return refused_; }

private:
  struct Crash {
    UniqueFd connection;
    CoreStory story;
    std::string id;  // of its crash report; empty: there is none yet
    std::string unfinished;  // why the story has no end
    bool is_brief = false;            // one of too many at once: who it was, and no more
    bool is_announced = false;  // its victim is known, and whose it is has been looked at
    LoopToken readable, deadline;
  };
  using Place = std::list<Crash>::iterator;

  void accept_all();
  void read_all(Place crash);
  void ended(Place crash, const std::string& unfinished);
  void tell_if_elsewhere(pid_t pid);
  void tell_unclaimed(pid_t pid);
  void tell(pid_t pid);
  void drop_if_done(Place crash);
  Place find(std::int64_t pid);
  bool was_told(std::int64_t pid) const;

  EventLoop& loop_;
  ReportSink& sink_;
  const std::chrono::milliseconds patience_;
  std::function<void(const process::ProcessEnd&)> unreported_;
  UniqueFd listener_;
  std::list<Crash> crashes_;  // in the order of their coming
  std::deque<std::pair<pid_t, MonoUs>> told_;  // by us: its parent may die, too, and leave us the body
  std::uint64_t refused_ = 0;
  LoopToken acceptable_;
};

}  // namespace vigil::guest::evidence
