#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"

#include <charconv>
#include <functional>
#include <map>
#include <memory>

namespace vigil::api {

namespace {

constexpr std::size_t page = 128, max_known_owners = 10'000;

/// The bus's events on their way into a stream. With `follow` off it ends at what was there when it began.
class BusSource final : public http::EventSource {
  public:
    struct Wanted {
        std::optional<machine::EventSeq> after;  // nullopt: only what comes
        std::optional<InstanceId> instance;
        bool follow = true;
        std::function<bool(const InstanceId&)> is_visible;   // empty: everything is
        machine::EventSeq oldest = 0, newest = 0;
    };
    BusSource(events::EventBus& bus, std::shared_ptr<EventTexts> texts, Wanted wanted) : wanted_(std::move(wanted)), texts_(std::move(texts)) {
        auto wake = wake_;
        subscription_ = bus.subscribe(wanted_.after, wanted_.instance, [wake] {
            if (*wake) (*wake)();
        });
    }

    Result<Batch> next() override {
        Batch batch;
        if (std::exchange(gap_told_, true) == false && has_gap()) batch.events.push_back(reset_event());
        auto take = subscription_->next(page);
        add_visible(take, batch);
        // What is not the caller's is passed over; an empty batch would say that there is nothing more at the moment.
        while (batch.events.empty() && !take.events.empty() && take.end == events::Take::End::more_may_come) {
            take = subscription_->next(page);
            add_visible(take, batch);
        }
        if (take.end == events::Take::End::failed) return Error(Errc::io, "the store could not be read");
        const bool at_end = !wanted_.follow && (take.cursor >= wanted_.newest || take.events.empty());
        batch.ended = at_end || take.end == events::Take::End::lagged;  // who lags comes again with its last id
        return batch;
    }
    void on_more(std::function<void()> wake) override { *wake_ = std::move(wake); }

  private:
    void add_visible(const events::Take& take, Batch& batch) const {
        for (const auto& event : take.events)
            if (!wanted_.is_visible || wanted_.is_visible(event->instance)) batch.events.push_back({event->seq, "", "", texts_->of(*event)});
    }
    bool has_gap() const { return wanted_.after && *wanted_.after != 0 && wanted_.oldest > *wanted_.after + 1; }
    http::StreamEvent reset_event() const { return {std::nullopt, "reset", "{\"oldest\":" + std::to_string(wanted_.oldest) + "}"}; }

    Wanted wanted_;
    std::shared_ptr<EventTexts> texts_;
    std::shared_ptr<std::function<void()>> wake_ = std::make_shared<std::function<void()>>();  // shared with the bus's callback, which may outlive us
    std::unique_ptr<events::Subscription> subscription_;
    bool gap_told_ = false;
};

/// Last-Event-ID (a reconnecting client) before ?after=.
Result<std::optional<machine::EventSeq>> cursor_of(const Request& request) {
    auto text = request.header("last-event-id");
    if (!text) text = request.query_value("after");
    if (!text) return std::optional<machine::EventSeq>(0);
    if (*text == "now") return std::optional<machine::EventSeq>();
    machine::EventSeq seq = 0;
    const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), seq);
    if (failure != std::errc() || end != text->data() + text->size()) return Error(Errc::invalid, "after: not a number");
    return std::optional(seq);
}

/// An instance's owner never changes, so each is asked for once.
std::function<bool(const InstanceId&)> owned_by(const store::Store& store, const access::Caller& caller) {
    auto known = std::make_shared<std::map<InstanceId, bool>>();
    return [&store, caller, known](const InstanceId& id) {
        const auto found = known->find(id);
        if (found != known->end()) return found->second;
        const auto row = store.find_instance(id.value());
        const bool is_own = row && row->id == id && caller.sees(row->spec.owner);
        if (known->size() >= max_known_owners) known->clear();
        (*known)[id] = is_own;
        return is_own;
    };
}

Result<BusSource::Wanted> parse_wanted(const Context& context, const Request& request) {
    BusSource::Wanted wanted;
    TRY(after, cursor_of(request));
    wanted.after = after;
    if (const auto follow = request.query_value("follow")) wanted.follow = *follow != "0";
    if (const auto id = request.query_value("instance")) {
        TRY(row, visible_instance(context, *id));
        wanted.instance = row.id;
    }
    if (!context.caller.sees_all()) wanted.is_visible = owned_by(context.store, context.caller);
    wanted.oldest = context.store.oldest_seq();
    wanted.newest = context.store.newest_seq();
    return wanted;
}

}  // namespace

void stream_events(const Context& context, const Request& request, const Reply& reply) {
    auto wanted = parse_wanted(context, request);
    if (!wanted) return reply.send(to_response(wanted.error()));
    reply.stream(std::make_unique<BusSource>(context.bus, context.event_texts, std::move(*wanted)));
}

}  // namespace vigil::api
