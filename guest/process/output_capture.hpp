// Reads one output stream of a service into its tail for as long as anybody holds the other end.
//
// Shape:  a pipe; writer() goes to the child and is closed by launched(). A flooding writer gets a bounded share of each loop turn and then blocks
//         on its full pipe, as it would on any slow reader.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "guest/process/output_logs.hpp"
#include "shared/base/unique_fd.hpp"

namespace vigil::guest::process {

class OutputCapture {
public:
  /// Into a tail of its own, or into one that outlives it and that others follow.
  explicit OutputCapture(EventLoop& loop) : loop_(loop), tail_(own_) {}
  OutputCapture(EventLoop& loop, OutputLogs& logs, OutputTail& tail) : loop_(loop), logs_(&logs), tail_(tail) {}
  OutputCapture(const OutputCapture&) = delete;
  OutputCapture& operator=(const OutputCapture&) = delete;

  /// A new pipe for the next start; the tail's text begins anew. The returned write end is the child's stream; -1 when there are no descriptors left.
  int open();
  /// The child has its copy: ours is closed, so that the end of the last writer is seen, and what it writes is taken from now on.
  void launched();
  /// Takes what is in the pipe now, at most 1 MiB: the last words of a process that has just died.
  void drain();
  const OutputTail& tail() const { return tail_; }

  /// Our end, -1 when all writers have gone; for the next life of the agent, which gives it to resume().
  int reader() const { return reader_.get(); }
  void resume(UniqueFd reader);

private:
  void watch();
  bool read_some(std::size_t limit);   // false: at its end

  EventLoop& loop_;
  UniqueFd reader_, writer_;
  OutputLogs* logs_ = nullptr;
  OutputTail own_;
  OutputTail& tail_;
  LoopToken token_;
};

}  // namespace vigil::guest::process
