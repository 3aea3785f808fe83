// The views of one VM as server-sent events: the newest first, then one whenever it has changed. Nothing is polled: the event bus wakes it.
#pragma once

#include "host/desktop/view.hpp"
#include "host/events/event_bus.hpp"
#include "host/http/event_source.hpp"
#include "host/ports/guests.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace vigil::desktop {

/// Wakes its owner when something happens to a VM. What happened is in the VM's state already, so the events themselves are thrown away.
class News {
public:
  News(events::EventBus& bus, InstanceId vm, std::function<void()> wake);
  /// To be called before the state is looked at: what comes after it wakes again.
  void drain();

private:
  void subscribe();

  events::EventBus& bus_;
  InstanceId vm_;
  std::shared_ptr<std::function<void()>> wake_;  // the bus's callback may outlive us
  std::unique_ptr<events::Subscription> subscription_;
};

class ViewStream final : public http::EventSource {
public:
  /// `guests` and `bus` outlive it.
  ViewStream(const ports::Guests& guests, events::EventBus& bus, InstanceId vm, std::size_t max_listed_services);
  Result<Batch> next() override;
  void on_more(std::function<void()> wake) override { wake_ = std::move(wake); }

private:
  const ports::Guests& guests_;
  InstanceId vm_;
  std::size_t max_listed_services_;
  std::function<void()> wake_;
  std::optional<View> told_;
  News news_;
};

}  // namespace vigil::desktop
