#include "host/sessions/turns.hpp"

#include <utility>

namespace vigil::sessions {

boost::asio::awaitable<Turns::Turn> Turns::take(InstanceId vm) {
  const auto table = table_;
  while (table->taken.contains(vm)) {
    auto free = std::make_shared<async::Notification>(executor_);
    table->taken[vm].push_back(free);
    co_await free->wait();
  }
  table->taken[vm];
  auto end = [living = std::weak_ptr<Table>(table), vm](void*) {
    const auto ended = living.lock();
    if (!ended) return;
    const auto waiting = std::exchange(ended->taken[vm], {});
    ended->taken.erase(vm);
    for (const auto& each : waiting) each->notify();
  };
  Turn turn(static_cast<void*>(table.get()), std::move(end));
  co_return std::move(turn);
}

}  // namespace vigil::sessions
