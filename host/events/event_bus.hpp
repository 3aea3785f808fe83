// In-process fan-out of committed events: each subscriber sees every event after its cursor once, in order, or is told to come again.
//
// Shape:  subscribe() hands over from the store without gap or double: the subscription starts with what the replay source has after `after`, in pages, then
//         goes live (nothing is queued before that). Nothing is pushed into a subscriber: it is woken by its callback (once, until it has drained) and takes events with next().
//         A subscriber whose queue is full is cut off: next() then ends with `lagged` and the cursor from which to come again (the store still has the events).
// Thread: one; the callback is called inside publish() and must only post work.
#pragma once

#include "host/machine/event_codec.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace vigil::store {
class Store;
}

namespace vigil::events {

using Published = std::shared_ptr<const machine::EncodedEvent>;   // shared: one encoding serves all subscribers

/// Events with seq > after, oldest first, at most `limit`; those of one instance when it is given.
using ReplaySource = std::function<Result<std::vector<Published>>(machine::EventSeq after, const std::optional<InstanceId>& instance, std::size_t limit)>;

/// The store as the source; it must outlive the bus.
ReplaySource replay_from(const store::Store& store);

struct Take {
  enum class End { more_may_come, lagged, failed };
  std::vector<Published> events;                // empty with more_may_come: wait for the callback
  End end = End::more_may_come;
  machine::EventSeq cursor = 0;                 // seq of the last event given (or skipped by the filter)
};

class Subscription {
public:
  virtual ~Subscription() = default;            // ends it
  /// At most `limit` events; never waits. Not to be called after the bus is gone.
  virtual Take next(std::size_t limit) = 0;
};

class EventBus {
public:
  /// `last`: the newest event that is stored already.
  EventBus(ReplaySource source, machine::EventSeq last, std::size_t queue_limit = 1024);
  ~EventBus();
  EventBus(const EventBus&) = delete;
  EventBus& operator=(const EventBus&) = delete;

  /// `after` = 0: from the oldest; nullopt: only what comes from now on. `wake` is called when next() would give something again.
  std::unique_ptr<Subscription> subscribe(std::optional<machine::EventSeq> after, std::optional<InstanceId> instance, std::function<void()> wake);

  /// Committed events, in the order of their numbers. Calls wake callbacks.
  void publish(const std::vector<Published>& events);

  std::size_t subscribers() const;
  machine::EventSeq last() const;               // the newest published

private:
  class Queue;
  ReplaySource source_;
  std::size_t queue_limit_;
  machine::EventSeq last_;
  std::vector<std::weak_ptr<Queue>> queues_;
};

}  // namespace vigil::events
