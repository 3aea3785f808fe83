// A stream that follows what services write: from a position, each stream of each service apart.
//
// Shape:  the tails are the only buffer: at most max_waiting bytes of a follower wait to be written, so a reader that is slow finds a gap, which is counted, and neither
//         a service nor another follower waits for it. What comes in a rush is sent in pieces at most every pause.
// Errors: Errc::not_found names the services there are. Thread: the loop's.
// Source: CONTRACTS "Streams", shared/streams/control.hpp (LogPart).
#pragma once

#include "guest/process/output_logs.hpp"
#include "guest/streams/stream.hpp"

#include <list>
#include <map>
#include <memory>
#include <string>

namespace vigil::guest::streams {

class LogFollow final : public Operation {
public:
  /// Null when the stream was refused.
  static std::unique_ptr<Operation> open(EventLoop& loop, Stream& stream, process::OutputLogs& logs, const LogFollowOpening& opening);

  LogFollow(EventLoop& loop, Stream& stream, process::OutputLogs& logs, const LogFollowOpening& opening);
  /// One that goes on in another life of the agent.
  LogFollow(EventLoop& loop, Stream& stream, process::OutputLogs& logs, const KeptLogFollow& kept);
  ~LogFollow() override { logs_.leave(place_); }
  void received(Chunk) override {}
  void can_send() override { push(); }
  std::optional<KeptOperation> keep() const override { return KeptLogFollow{wanted_, turn_, follow_, over_, positions_, sent_}; }

private:
  void grew(std::size_t bytes);
  void push();
  bool push_service(const std::string& name, process::OutputLog& log);
  bool push_part(const std::string& name, Channel channel, const process::OutputTail& tail, std::uint64_t& position);
  void release_spent();
  bool is_wanted(const std::string& name) const { return wanted_.empty() || wanted_ == name; }

  EventLoop& loop_;
  Stream& stream_;
  process::OutputLogs& logs_;
  std::string wanted_;                     // empty: all
  bool follow_;
  std::map<std::string, LogPosition> positions_;
  std::string turn_;                       // whose turn it was last: a service that floods leaves room for the others
  std::uint64_t sent_ = 0;
  std::size_t waiting_ = 0;
  MonoUs pushed_us_ = 0;
  bool over_ = false;
  LoopToken pause_;
  std::list<process::OutputLogs::Follower>::iterator place_;
};

}  // namespace vigil::guest::streams
