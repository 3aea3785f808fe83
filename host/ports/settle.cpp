#include "host/ports/settle.hpp"

#include "host/async/notification.hpp"

#include <boost/asio/this_coro.hpp>

#include <memory>

namespace vigil::ports {

namespace asio = boost::asio;
using namespace std::chrono;

namespace {

constexpr std::size_t events_a_look = 256;

/// What the bus's callback and the waiting coroutine share; the callback may outlive the wait.
struct Woken {
    explicit Woken(asio::any_io_executor executor) : news(executor) {}
    async::Notification news;
};

/// What happened meanwhile is in the VM's state already; the events themselves are not needed. False: cut off, come again.
bool drain(events::Subscription& subscription) {
    for (;;) {
        const auto take = subscription.next(events_a_look);
        if (take.end != events::Take::End::more_may_come) return false;
        if (take.events.empty()) return true;
    }
}

std::unique_ptr<events::Subscription> subscribe(events::EventBus& bus, const InstanceId& id, const std::shared_ptr<Woken>& woken) {
    const std::weak_ptr<Woken> weak = woken;
    return bus.subscribe(std::nullopt, id, [weak] {
        if (const auto alive = weak.lock()) alive->news.notify();
    });
}

Judgement judge_now(const Guests& guests, const InstanceId& id, const Wanted& wanted) {
    const auto* const state = guests.state_of(id);
    if (state == nullptr) return Refusal{404, "not_found", "not found", "the VM was removed", ""};
    return judge(*state, wanted);
}

struct Dialled {
    explicit Dialled(asio::any_io_executor executor) : arrived(executor) {}
    async::Notification arrived;
    std::optional<Result<streams::GuestStream>> stream;
};

}  // namespace

asio::awaitable<Settled> settle(const Guests* guests, events::EventBus* bus, InstanceId id, Wanted wanted, milliseconds limit) {
    const auto began = steady_clock::now();
    Settled settled;
    auto woken = std::make_shared<Woken>(co_await asio::this_coro::executor);
    auto subscription = subscribe(*bus, id, woken);
    for (;;) {
        auto judgement = judge_now(*guests, id, wanted);
        const auto waited = duration_cast<milliseconds>(steady_clock::now() - began);
        if (const auto* const wait = std::get_if<Wait>(&judgement)) {
            const auto left = limit - waited;
            bool news = false;
            if (left > milliseconds(0)) news = co_await woken->news.wait_for(left);
            settled.waited = std::max(milliseconds(1), duration_cast<milliseconds>(steady_clock::now() - began));
            if (!news) {
                settled.judgement = not_ready_in_time(wanted, wait->what, settled.waited);
                co_return settled;
            }
            if (!drain(*subscription)) subscription = subscribe(*bus, id, woken);
            continue;
        }
        if (auto* const refusal = std::get_if<Refusal>(&judgement)) settled.judgement = std::move(*refusal);
        else settled.judgement = std::get<Go>(judgement);
        co_return settled;
    }
}

asio::awaitable<Result<streams::GuestStream>> dial(Guests* guests, InstanceId id, std::uint16_t port, std::string first) {
    auto dialled = std::make_shared<Dialled>(co_await asio::this_coro::executor);
    guests->open_port(id, port, std::move(first), [dialled](Result<streams::GuestStream> stream) {
        dialled->stream = std::move(stream);
        dialled->arrived.notify();
    });
    co_await dialled->arrived.wait();
    co_return std::move(*dialled->stream);
}

}  // namespace vigil::ports
