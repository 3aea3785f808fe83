#include "host/desktop/view_stream.hpp"

#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::desktop {

namespace {
constexpr std::size_t events_a_drain = 256;
}

News::News(events::EventBus& bus, InstanceId vm, std::function<void()> wake)
    : bus_(bus), vm_(std::move(vm)), wake_(std::make_shared<std::function<void()>>(std::move(wake))) {
  subscribe();
}

void News::subscribe() {
  const std::weak_ptr<std::function<void()>> weak = wake_;
  subscription_ = bus_.subscribe(std::nullopt, vm_, [weak] {
    if (const auto alive = weak.lock()) (*alive)();
  });
}

void News::drain() {
  for (;;) {
    const auto take = subscription_->next(events_a_drain);
    if (take.end != events::Take::End::more_may_come) return subscribe();   // cut off: only what comes from now on counts
    if (take.events.empty()) return;
  }
}

ViewStream::ViewStream(const ports::Guests& guests, events::EventBus& bus, InstanceId vm, std::size_t max_listed_services)
    : guests_(guests), vm_(vm), max_listed_services_(max_listed_services), news_(bus, std::move(vm), [this] {
        if (wake_) wake_();
      }) {}

Result<http::EventSource::Batch> ViewStream::next() {
  news_.drain();
  auto view = view_of(guests_.state_of(vm_), max_listed_services_);
  Batch batch;
  if (told_ == view) return batch;
  batch.ended = view.phase == Phase::removed;
  batch.events.push_back({std::nullopt, "view", dump_json(view_json(view))});
  told_ = std::move(view);
  return batch;
}

}  // namespace vigil::desktop
