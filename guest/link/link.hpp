// The control link as the guest keeps it: dial, say hello, wait for welcome, then carry the outbox out and requests in, for ever.
//
// Shape:  start() dials with back-off until stop() or release(); reports flow from welcome on, oldest first, and all unacknowledged ones again on each new link.
//         A link that says nothing is pinged, then given up (silence.hpp). release() takes the open connection out for the next life of the agent (exec keeps it), resume()
//         puts it in again: no second hello, no byte lost, wherever in a frame it was.
// Errors: whatever goes wrong ends the connection and the next dial begins; what the host must know of it, it sees.
// Source: CONTRACTS "Control link". Thread: the loop's; events run from the loop.
#pragma once

#include "guest/link/backoff.hpp"
#include "guest/link/dialler.hpp"
#include "guest/link/silence.hpp"
#include "guest/loop/event_loop.hpp"
#include "guest/report/outbox.hpp"
#include "shared/framing/frame.hpp"
#include "shared/protocol/codec.hpp"

#include <functional>
#include <memory>
#include <string>

namespace vigil::guest::link {

/// An open connection between two lives of the agent.
struct Connection {
  UniqueFd fd;                        // empty: there is none
  bool welcomed = false;
  std::string unread, unsent;         // the cut frame at either end
};

struct LinkFacts {
  BootId boot;
  protocol::Hello hello;              // all but first_unacked; token empty until welcome
  SilencePeriods silence;
};

struct LinkEvents {
  std::function<void(const protocol::Welcome&)> welcomed;   // once a link
  std::function<void(const protocol::Request&)> requested;
  std::function<void()> acknowledged;
  std::function<void(UnixUs)> host_clock = {};              // what the host's wall clock said a moment ago, with each ping that tells it
};

class Link {
public:
  Link(EventLoop& loop, Dialler& dialler, report::Outbox& outbox, LinkFacts facts, LinkEvents events);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link();

  void start();
  void resume(Connection connection);
  Connection release();
  /// As release(), but the link goes on: for an exec that may fail. The descriptor stays the link's.
  struct Kept {
    int fd = -1;
    bool welcomed = false;
    std::string unread, unsent;
  };
  Kept keep() const;
  void stop();

  /// Something was queued. Sends in the loop's next turn.
  void flush();
  void reply(const protocol::Reply& reply);

  bool is_up() const { return welcomed_; }
  /// "up", or "down: why".
  std::string describe() const;
  const std::string& token() const { return facts_.hello.token; }
  Epoch epoch() const { return epoch_; }

private:
  void dial();
  void connected();
  void open(UniqueFd fd);
  void drop(const std::string& why);
  void on_ready(std::uint32_t epoll_events);
  void read_in();
  void take_frames();
  void take(const protocol::Message& message);
  void take_welcome(const protocol::Welcome& welcome);
  void write_out();
  void queue_reports();
  void queue(const protocol::Message& message);
  /// The host owes an answer: a welcome or an acknowledgement.
  bool is_awaiting() const { return !welcomed_ || outbox_.size() > 0; }
  void mind_silence();
  void look_for_silence();

  EventLoop& loop_;
  Dialler& dialler_;
  report::Outbox& outbox_;
  LinkFacts facts_;
  LinkEvents events_;
  Epoch epoch_ = 0;
  Backoff backoff_;
  UniqueFd fd_;
  bool connecting_ = false, welcomed_ = false, stopped_ = true, flush_posted_ = false, wants_write_ = false;
  framing::FrameReader reader_;
  std::string unread_;                // the bytes that reader_ holds: its copy for release()
  std::string out_;                   // framed, not yet written
  std::string why_down_ = "not dialled yet";
  std::uint64_t connections_ = 0, pings_ = 0;
  Silence silence_;
  bool awaiting_ = false;             // what silence_timer_ runs for
  LoopToken watch_, dial_timer_, silence_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);   // posted calls outlive us
};

}  // namespace vigil::guest::link
