// The one way by which anything that happens to a VM is recorded: number it, reduce it, commit it, and only then tell anybody.
//
// Shape:  submit() queues; all that came in one turn of the event loop is one transaction. record() does the same at once and says whether it was stored.
//         On a busy daemon turns are gathered: one commit is at least busy_gap after the one before, for each costs a flush of the disk. The first after a pause is not kept, nor are so many that the flush is no matter.
//         After the commit: publish on the bus, then give each subject its effects and what may be acknowledged.
// Errors: when the store refuses a batch (a full disk), every subject's state is read again from the log, as a restart would: no copy is made of each that changes, for one
//         with many crashes is megabytes, and nearly all commits succeed. A log that can then not be read either ends the daemon. Events that nobody will tell us again are kept and tried again
//         once a second; those of a guest are dropped, for it keeps them until they are acknowledged.
// Thread: the event thread.
#pragma once

#include "host/events/event_bus.hpp"
#include "host/machine/effect.hpp"
#include "host/machine/vm_state.hpp"
#include "host/store/store.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace vigil::daemon {

/// Whose events they are: a VM's actor.
class EventSubject {
  public:
    virtual ~EventSubject() = default;
    virtual machine::VmState& state() = 0;
    virtual std::vector<std::string> console_tail() const = 0;
    using Stream = std::pair<Epoch, BootId>;
    /// `reported`: the streams of which reports are now in the store. `events`: so many more are folded into the state.
    virtual void committed(const std::vector<machine::Effect>& effects, const std::set<Stream>& reported, std::size_t events) = 0;
    /// Reports of the guest were not stored: it has to send them again.
    virtual void reports_refused() = 0;
};

class EventPipeline {
  public:
    EventPipeline(boost::asio::io_context& io, store::Store& store, events::EventBus& bus);
    ~EventPipeline();
    EventPipeline(const EventPipeline&) = delete;
    EventPipeline& operator=(const EventPipeline&) = delete;

    /// Is shown every event that was stored, with the state that its turn led to.
    using Observer = std::function<void(const machine::VmState&, const machine::VmEvent&)>;
    void observe_by(Observer observer) { observer_ = std::move(observer); }
    std::uint64_t commit_failures() const { return commit_failures_; }

    void submit(EventSubject& subject, machine::VmEvent event);
    /// With everything that is queued before it. Errc::conflict when it cannot happen (a taken name), else the store's errors.
    Result<void> record(EventSubject& subject, machine::VmEvent event);
    /// Forgets what is queued for a subject that goes.
    void forget(EventSubject& subject);
    void flush();

  private:
    struct Item {
        EventSubject* subject = nullptr;
        machine::VmEvent event;
        std::shared_ptr<Result<void>> outcome;  // of record()
        bool is_new = false;                    // admitted: not stored before
    };
    struct Work {
        InstanceId id;
        std::vector<machine::Effect> effects;
        std::set<EventSubject::Stream> reported;
        std::size_t events = 0;
    };
    class Turn;

    void schedule();
    void flush_soon(boost::system::error_code stopped, const std::weak_ptr<int>& alive);
    void keep_for_later(std::deque<Item> items, const Error& error);

    boost::asio::io_context& io_;
    store::Store& store_;
    events::EventBus& bus_;
    static constexpr std::chrono::milliseconds busy_gap{8};
    static constexpr std::size_t enough = 64;  // events that are worth a commit before the gap is over

    std::deque<Item> queue_;
    std::chrono::steady_clock::time_point flushed_at_{};
    boost::asio::steady_timer gap_;
    bool scheduled_ = false, refusing_ = false;
    Observer observer_;
    std::uint64_t commit_failures_ = 0;
    boost::asio::steady_timer retry_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // posted flushes may outlive us
};

}  // namespace vigil::daemon
