// The control link of one run: listens where its VM's guest arrives, admits the agent, hands on what it says, acknowledges what is committed.
//
// Shape:  one listening socket a run (it is the VM's identity; its shim holds it, or this), any number of sessions, the newest admitted one is current. The owner is called on the event
//         thread and may call back.
// Errors: listen(): those of listen_unix. Nothing that a guest sends is an error here: it becomes a refused or a lost link.
// Source: CONTRACTS "Control link"; tech §1.3 (the VMM's connect blocks its event thread: backlog 128, accept at once).
#pragma once

#include "host/async/task_group.hpp"
#include "host/guest_link/admission.hpp"
#include "host/guest_link/session.hpp"
#include "shared/base/unique_fd.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace vigil::guest_link {

/// What the link needs to know and where it tells; the daemon's actor of the VM.
class LinkOwner {
  public:
    virtual ~LinkOwner() = default;
    virtual protocol::GuestConfig guest_config() = 0;
    virtual TokenCheck check_token(const BootId& boot, const std::string& token) = 0;
    /// Durable on return. Until it has succeeded the boot's token does not bind.
    virtual Result<void> remember_token(const BootId& boot, const std::string& token) = 0;
    virtual Seq acknowledged(const BootId& boot, Epoch epoch) = 0;

    virtual void link_up(const BootId& boot, Epoch epoch, const protocol::Hello& hello) = 0;
    virtual void link_lost(const SessionEnd& end) = 0;
    virtual void link_refused(const std::string& reason) = 0;
    virtual void reported(protocol::Report report) = 0;
    virtual void clock_synced(ClockSample sample) = 0;
    /// The guest owes the answer to a ping of some seconds ago; told with each further ping. GuestLink::quiet() has the figures.
    virtual void link_quiet() = 0;
};

struct LinkOptions {
    std::string socket_path;              // run/ID/vsock_5252
    std::string image_digest, image_id;   // what the VM was started from
    std::optional<BootId> bound_boot;     // of a run that is adopted: the boot whose token is recorded
    SessionLimits limits;
};

class GuestLink final : private SessionListener {
  public:
    using Answer = std::function<void(Result<protocol::Reply>)>;

    GuestLink(boost::asio::io_context& io, LinkOptions options, LinkOwner& owner, const Clock& clock);

    /// Where no shim does: then admit() brings who dials.
    Result<void> listen();
    bool listens() const { return acceptor_.is_open(); }
    /// A connection that arrived at this run's socket.
    void admit(UniqueFd connection);
    bool is_up() const { return current_ != nullptr; }
    /// Of the current session; nothing is missing while there is none.
    Quiet quiet() const { return current_ != nullptr ? current_->quiet() : Quiet{}; }
    /// Everything of that boot up to `seq` is committed.
    void acknowledge(const BootId& boot, Epoch epoch, Seq seq);
    /// Errc::unavailable when there is no link or it is lost meanwhile, Errc::timeout; a refusal of the guest is a Reply with ok == false.
    void request(std::string op, std::string args, std::chrono::milliseconds deadline, Answer answer);
    /// Closes the current session; the guest dials again and sends what is not acknowledged.
    void break_current(std::string reason);
    /// Waits until every session has ended by itself (the VMM is gone: what it sent is still read), at most `limit`.
    boost::asio::awaitable<void> drained(std::chrono::milliseconds limit);
    boost::asio::awaitable<void> stop();

  private:
    struct PendingRequest {
        Answer answer;
        std::unique_ptr<boost::asio::steady_timer> deadline;
    };

    using Socket = boost::asio::local::stream_protocol::socket;

    boost::asio::awaitable<void> accept_loop();
    void let_in(Socket socket);
    boost::asio::awaitable<void> serve(std::shared_ptr<boost::asio::local::stream_protocol::socket> socket);
    std::string token_for(const BootId& boot, const protocol::Hello& hello, TokenCheck check);
    void bind_token(const BootId& boot);
    void make_current(Session& session, const protocol::Hello& hello);
    void refuse(const std::string& reason);
    void finish_request(std::uint64_t id, Result<protocol::Reply> result);
    void fail_requests(const std::string& why);

    std::optional<protocol::Welcome> on_hello(Session& session, const BootId& boot, const protocol::Hello& hello) override;
    void on_welcomed(Session& session) override;
    void on_report(Session& session, protocol::Report report) override;
    void on_clock(Session& session, ClockSample sample) override;
    void on_reply(Session& session, protocol::Reply reply) override;
    void on_flood(Session& session, Flood flood) override;
    void on_quiet(Session& session) override;
    void on_end(Session& session, SessionEnd end) override;

    boost::asio::io_context& io_;
    LinkOptions options_;
    LinkOwner& owner_;
    const Clock& clock_;
    boost::asio::local::stream_protocol::acceptor acceptor_;
    Session* current_ = nullptr;
    protocol::Hello current_hello_;
    std::set<Session*> sessions_;
    std::map<BootId, std::string> offered_;       // tokens in welcomes that the guest has not shown to have yet
    std::map<std::string, MonoUs> refusals_;      // reason -> when it was last told
    std::optional<std::uint64_t> best_rtt_us_;
    std::map<std::uint64_t, PendingRequest> requests_;
    std::uint64_t next_request_ = 1;
    bool stopping_ = false;
    async::Notification session_ended_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);   // an expired timer's callback may still be queued when we go
    async::TaskGroup tasks_;
};

}  // namespace vigil::guest_link
