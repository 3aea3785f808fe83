// Many subscribers of a daemon's event stream in one process: how old each service report is when each of them reads it, and whether anything was left out.
//
// Shape:  run() says "up N" on stdout when every stream has begun; when stdin is closed, or after the time: "heard N p50_us p99_us worst_us gaps ended", N reports
//         over all subscribers, gaps in the numbers of events, streams that the daemon ended.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "shared/base/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::fleet {

class Subscribers {
public:
  Subscribers(std::string path, std::size_t count, std::chrono::milliseconds limit);
  void run();

private:
  struct Subscriber {
    UniqueFd socket;
    guest::LoopToken watch;
    std::string unread;
    std::uint64_t last = 0;  // number of the event that was read last
    bool has_begun = false;
  };

  void connect_some();
  void read_from(Subscriber& subscriber);
  void take_line(Subscriber& subscriber, std::string_view line);
  void print();

  guest::EventLoop loop_;
  std::string path_;
  std::size_t wanted_, begun_ = 0;
  std::vector<Subscriber> subscribers_;
  std::vector<std::uint32_t> late_us_;
  std::uint64_t gaps_ = 0, ended_ = 0;
  guest::LoopToken orders_, limit_, next_;
};

}  // namespace vigil::fleet
