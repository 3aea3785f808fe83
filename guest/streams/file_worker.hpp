// File streams run in a process of their own: a disk that hangs must not hang PID 1.
//
// Shape:  hand_over() passes the connection to a new `vigil-guest file-stream`, which answers the opening and serves it to the end (guest/files).
// Errors: the stream is refused when no process can be started or max_workers run.
#pragma once

#include "guest/streams/exec_session.hpp"
#include "guest/streams/stream.hpp"

#include <sys/types.h>

#include <cstddef>
#include <set>
#include <string>

namespace vigil::guest::streams {

class FileWorkers {
public:
  /// `program`: an executable whose first argument `file-stream` makes it a worker.
  FileWorkers(ExecHost& host, std::string program) : host_(host), program_(std::move(program)) {}
  void hand_over(Stream& stream, const Opening& opening);
  /// Workers outlive this life of the agent with their connections; the next one only counts them.
  const std::set<pid_t>& running() const { return running_; }
  void resume(const std::set<pid_t>& running);

private:
  static constexpr std::size_t max_workers = 64;
  ExecHost& host_;
  std::string program_;
  std::set<pid_t> running_;
};

inline constexpr int worker_connection_fd = 3, worker_opening_fd = 4;

}  // namespace vigil::guest::streams
