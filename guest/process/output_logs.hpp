// What the services wrote, by name: one tail a stream, kept over restarts, and who follows them.
//
// Shape:  of() makes a service's place, which stays. Followers read the tails by offset and are only told that something grew. A tail of a service that has no process
//         is given back once its only follower has taken all of it.
// Units:  at most 128 KiB a service. Thread: the loop's.
#pragma once

#include "guest/process/output_tail.hpp"

#include <functional>
#include <list>
#include <map>
#include <string>

namespace vigil::guest::process {

struct OutputLog {
  OutputTail out, err;
  bool live = false;               // a process of the service may write
};

class OutputLogs {
public:
  using Follower = std::function<void(std::size_t bytes)>;

  explicit OutputLogs(std::string boot = {}) : boot_(std::move(boot)) {}
  OutputLogs(const OutputLogs&) = delete;
  OutputLogs& operator=(const OutputLogs&) = delete;

  OutputLog& of(const std::string& service) { return logs_[service]; }
  std::map<std::string, OutputLog>& all() { return logs_; }
  const std::map<std::string, OutputLog>& all() const { return logs_; }
  /// Offsets mean something within this boot only.
  const std::string& boot() const { return boot_; }

  std::list<Follower>::iterator follow(Follower follower) { return followers_.insert(followers_.end(), std::move(follower)); }
  void leave(std::list<Follower>::iterator follower) { followers_.erase(follower); }
  std::size_t followers() const { return followers_.size(); }
  void grew(std::size_t bytes) {
    for (const auto& follower : followers_) follower(bytes);
  }
  /// Whoever waits to send more at once sends now.
  void flush() { grew(OutputTail::capacity); }

private:
  std::string boot_;
  std::map<std::string, OutputLog> logs_;
  std::list<Follower> followers_;
};

}  // namespace vigil::guest::process
