// One output of a program (stdout, stderr, or its terminal), kept while nobody takes it.
//
// Shape:  attached: reads no more than max_kept ahead of whoever takes, so the program waits; unattached: reads on and forgets the oldest, counted. After the program's
//         death drain() takes what it left; from then on what others still write is read and thrown away, so that they do not die of a closed pipe.
// Thread: the loop's.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "guest/streams/kept_stream.hpp"
#include "shared/streams/chunk.hpp"

#include <functional>
#include <string>

namespace vigil::guest::streams {

class OutputSource {
public:
  OutputSource(EventLoop& loop, vigil::streams::Channel channel, UniqueFd fd, std::function<void()> changed);
  /// One that the life of the agent before had.
  OutputSource(EventLoop& loop, const KeptOutput& kept, std::function<void()> changed);
  OutputSource(const OutputSource&) = delete;
  OutputSource& operator=(const OutputSource&) = delete;

  void attach(bool attached);
  std::string take();
  /// Of the time when nobody was attached; once.
  std::uint64_t take_lost();
  void drain();

  vigil::streams::Channel channel() const { return channel_; }
  bool is_empty() const { return kept_.empty(); }
  /// Nobody can write any more, or what comes is no longer the program's.
  bool has_ended() const { return ended_; }
  KeptOutput keep() const { return {channel_, fd_.get(), kept_, lost_, taken_, ended_}; }
  std::uint64_t taken() const { return taken_; }

private:
  static constexpr std::size_t max_kept = 64 * 1024;
  /// False: the end.
  bool read_some(std::size_t limit);
  void on_ready();
  void watch();
  void update_watch();

  EventLoop& loop_;
  vigil::streams::Channel channel_;
  UniqueFd fd_;
  std::function<void()> changed_;
  std::string kept_;
  std::uint64_t lost_ = 0, taken_ = 0;
  bool attached_ = true, ended_ = false, reading_ = true;
  LoopToken watch_;
};

}  // namespace vigil::guest::streams
