#include "host/events/event_bus.hpp"

#include "host/store/store.hpp"

#include <algorithm>
#include <deque>

namespace vigil::events {

using machine::EventSeq;

/// One subscriber: first it reads from the store, then from its own queue.
class EventBus::Queue final : public Subscription {
public:
  Queue(const EventBus& bus, std::optional<EventSeq> after, std::optional<InstanceId> instance, std::function<void()> wake)
      : bus_(bus), cursor_(after.value_or(bus.last_)), instance_(std::move(instance)), wake_(std::move(wake)), is_live_(!after), is_waiting_(!after) {}

  Take next(std::size_t limit) override {
    if (is_cut_off_) return Take{{}, Take::End::lagged, cursor_};
    return is_live_ ? next_queued(limit) : next_stored(limit);
  }

  void push(const Published& event) {
    if (!is_live_ || is_cut_off_ || event->seq <= cursor_) return;
    if (instance_ && event->instance != *instance_) return;
    if (queue_.size() >= bus_.queue_limit_) {
      is_cut_off_ = true;
      queue_.clear();
    } else {
      queue_.push_back(event);
    }
    has_news_ = true;
  }

  /// Once, until next() has found nothing again.
  void wake_if_waiting() {
    if (!is_waiting_ || !has_news_) return;
    is_waiting_ = false;
    wake_();
  }

private:
  Take next_stored(std::size_t limit) {
    auto page = bus_.source_(cursor_, instance_, limit);
    if (!page) return Take{{}, Take::End::failed, cursor_};
    if (!page->empty()) cursor_ = page->back()->seq;
    if (page->size() >= limit) return Take{std::move(*page), Take::End::more_may_come, cursor_};
    // The store has nothing more: from here on what is published is all that is new.
    is_live_ = true;
    cursor_ = std::max(cursor_, bus_.last_);
    is_waiting_ = page->empty();
    return Take{std::move(*page), Take::End::more_may_come, cursor_};
  }

  Take next_queued(std::size_t limit) {
    const auto count = static_cast<std::ptrdiff_t>(std::min(limit, queue_.size()));
    Take take{{queue_.begin(), queue_.begin() + count}, Take::End::more_may_come, 0};
    queue_.erase(queue_.begin(), queue_.begin() + count);
    if (!take.events.empty()) cursor_ = take.events.back()->seq;
    is_waiting_ = take.events.empty();
    has_news_ = !queue_.empty();
    take.cursor = cursor_;
    return take;
  }

  const EventBus& bus_;
  EventSeq cursor_;
  std::optional<InstanceId> instance_;
  std::function<void()> wake_;
  std::deque<Published> queue_;
  bool is_live_;
  bool is_waiting_;                              // next() came back empty, or was never called on a live one
  bool is_cut_off_ = false;
  bool has_news_ = false;
};

namespace {

/// Keeps the queue alive for as long as the subscriber wants it; the bus only watches.
class Handle final : public Subscription {
public:
  explicit Handle(std::shared_ptr<Subscription> queue) : queue_(std::move(queue)) {}
  Take next(std::size_t limit) override { return queue_->next(limit); }

private:
  std::shared_ptr<Subscription> queue_;
};

}  // namespace

EventBus::EventBus(ReplaySource source, EventSeq last, std::size_t queue_limit) : source_(std::move(source)), queue_limit_(queue_limit), last_(last) {}
EventBus::~EventBus() = default;

std::unique_ptr<Subscription> EventBus::subscribe(std::optional<EventSeq> after, std::optional<InstanceId> instance, std::function<void()> wake) {
  auto queue = std::make_shared<Queue>(*this, after, std::move(instance), std::move(wake));
  std::erase_if(queues_, [](const std::weak_ptr<Queue>& each) { return each.expired(); });
  queues_.push_back(queue);
  return std::make_unique<Handle>(std::move(queue));
}

void EventBus::publish(const std::vector<Published>& events) {
  if (events.empty()) return;
  last_ = std::max(last_, events.back()->seq);
  const auto watched = queues_;                  // a callback may subscribe or unsubscribe
  for (const auto& each : watched) {
    const auto queue = each.lock();
    if (!queue) continue;
    for (const auto& event : events) queue->push(event);
    queue->wake_if_waiting();
  }
}

std::size_t EventBus::subscribers() const {
  return static_cast<std::size_t>(std::count_if(queues_.begin(), queues_.end(), [](const auto& each) { return !each.expired(); }));
}

EventSeq EventBus::last() const { return last_; }

ReplaySource replay_from(const store::Store& store) {
  return [&store](EventSeq after, const std::optional<InstanceId>& instance, std::size_t limit) -> Result<std::vector<Published>> {
    TRY(stored, store.events({.after = after, .instance = instance, .run = {}, .limit = limit}));
    std::vector<Published> events;
    events.reserve(stored.size());
    for (auto& each : stored) events.push_back(std::make_shared<const machine::EncodedEvent>(std::move(each)));
    return events;
  };
}

}  // namespace vigil::events
