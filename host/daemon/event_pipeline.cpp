#include "host/daemon/event_pipeline.hpp"

#include "host/fault/fault_point.hpp"
#include "host/machine/reduce.hpp"
#include "host/store/restore.hpp"
#include "host/verdict/verdict.hpp"

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <map>

namespace vigil::daemon {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds retry_after{1};
constexpr std::size_t max_kept = 4096;  // a console that goes on while the disk is full

/// The guest, or its console, can give it again or can be read again.
bool is_repeatable(const machine::EventBody& body) {
    return std::holds_alternative<machine::Reported>(body) || std::holds_alternative<machine::ClockSynced>(body);
}

}  // namespace

/// One transaction over what was queued.
class EventPipeline::Turn {
  public:
    Turn(store::Store& store, std::deque<Item>& items) : store_(store), batch_(store.begin()) {
        for (auto& item : items) take(item);
    }

    Result<void> commit() {
        auto committed = batch_.commit();
        if (!committed) go_back();
        return committed;
    }
    std::vector<std::shared_ptr<const machine::EncodedEvent>> encoded() const { return batch_.encoded(); }
    std::map<EventSubject*, Work> take_work() { return std::move(work_); }

  private:
    void go_back() {
        for (auto& [subject, work] : work_) {
            auto restored = store::restore_state(store_, work.id);
            if (!restored) {
                spdlog::critical("store.not_readable vm={} err=\"{}\"", work.id.value(), restored.error().message());
                spdlog::shutdown();   // which writes out what is buffered
                std::abort();         // what the log says of this VM is not known any more; the next daemon reads it, or says why not
            }
            subject->state() = std::move(restored->state);
        }
    }

    void take(Item& item) {
        auto& subject = *item.subject;
        auto found = work_.find(&subject);
        if (found == work_.end()) found = work_.emplace(&subject, Work{item.event.instance, {}, {}, 0}).first;
        auto& work = found->second;
        if (const auto* reported = std::get_if<machine::Reported>(&item.event.body); reported != nullptr && !reported->partial)
            work.reported.emplace(reported->report.epoch, reported->report.boot);
        const auto admission = add(subject, work, item.event);
        if (admission == store::Admission::Kind::conflict && item.outcome)
            *item.outcome = Error(Errc::conflict, "it conflicts with what is stored");
        item.is_new = admission == store::Admission::Kind::accepted;
        if (!item.is_new) return;
        if (!verdict::announcement(subject.state())) return;   // the console is evidence, and more of that is no news
        const auto announcement = verdict::announcement(subject.state(), subject.console_tail());
        if (!announcement) return;
        machine::VmEvent said = item.event;
        said.seq = 0;
        said.body = *announcement;
        add(subject, work, said);
    }

    store::Admission::Kind add(EventSubject& subject, Work& work, machine::VmEvent& event) {
        const auto admission = batch_.add(event);
        if (admission.kind != store::Admission::Kind::accepted) return admission.kind;
        ++work.events;
        auto effects = machine::reduce(subject.state(), event);
        std::ranges::move(effects, std::back_inserter(work.effects));
        return admission.kind;
    }

    store::Store& store_;
    store::Batch batch_;
    std::map<EventSubject*, Work> work_;
};

EventPipeline::EventPipeline(asio::io_context& io, store::Store& store, events::EventBus& bus) : io_(io), store_(store), bus_(bus), gap_(io), retry_(io) {}
EventPipeline::~EventPipeline() = default;

void EventPipeline::submit(EventSubject& subject, machine::VmEvent event) {
    queue_.push_back({&subject, std::move(event), nullptr});
    if (queue_.size() == enough && !refusing_)
        asio::post(io_, [this, alive = std::weak_ptr<int>(alive_)] {
            if (!alive.expired() && queue_.size() >= enough) flush();
        });
    schedule();
}

Result<void> EventPipeline::record(EventSubject& subject, machine::VmEvent event) {
    auto outcome = std::make_shared<Result<void>>();
    queue_.push_back({&subject, std::move(event), outcome});
    flush();
    return *outcome;
}

void EventPipeline::forget(EventSubject& subject) {
    std::erase_if(queue_, [&](const Item& item) { return item.subject == &subject; });
}

void EventPipeline::schedule() {
    if (scheduled_ || refusing_) return;
    scheduled_ = true;
    const std::weak_ptr<int> alive = alive_;
    const auto due = flushed_at_ + busy_gap;
    if (std::chrono::steady_clock::now() >= due) return asio::post(io_, [this, alive] { flush_soon({}, alive); });
    gap_.expires_at(due);
    gap_.async_wait([this, alive](boost::system::error_code stopped) { flush_soon(stopped, alive); });
}

void EventPipeline::flush_soon(boost::system::error_code stopped, const std::weak_ptr<int>& alive) {
    if (stopped || alive.expired()) return;
    scheduled_ = false;
    flush();
}

void EventPipeline::flush() {
    auto items = std::exchange(queue_, {});
    if (items.empty()) return;
    std::map<EventSubject*, Work> work;
    std::vector<std::shared_ptr<const machine::EncodedEvent>> encoded;
    {
        Turn turn(store_, items);
        if (const auto committed = turn.commit(); !committed) return keep_for_later(std::move(items), committed.error());
        encoded = turn.encoded();
        work = turn.take_work();
    }
    flushed_at_ = std::chrono::steady_clock::now();
    if (std::exchange(refusing_, false)) spdlog::info("store.commits_again");
    {
        const fault::Around around(fault::Step::publish);
        bus_.publish(encoded);
    }
    for (const auto& item : items)
        if (item.is_new && observer_) observer_(item.subject->state(), item.event);
    for (const auto& [subject, done] : work) subject->committed(done.effects, done.reported, done.events);
}

void EventPipeline::keep_for_later(std::deque<Item> items, const Error& error) {
    ++commit_failures_;
    if (!refusing_) spdlog::error("store.commit_failed events={} err=\"{}\"", items.size(), error.message());
    refusing_ = true;
    std::set<EventSubject*> cheated;
    std::deque<Item> kept;
    for (auto& item : items) {
        if (item.outcome)
            *item.outcome = error;
        else if (is_repeatable(item.event.body) || kept.size() >= max_kept)
            cheated.insert(item.subject);
        else
            kept.push_back(std::move(item));
    }
    std::ranges::move(queue_, std::back_inserter(kept));
    queue_ = std::move(kept);
    retry_.expires_after(retry_after);
    retry_.async_wait([this, alive = std::weak_ptr<int>(alive_)](boost::system::error_code stopped) {
        if (stopped || alive.expired()) return;
        if (queue_.empty()) refusing_ = false;
        flush();
    });
    for (auto* subject : cheated) subject->reports_refused();
}

}  // namespace vigil::daemon
