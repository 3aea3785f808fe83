// All instances: finds, creates and removes their actors; what the API commands.
#pragma once

#include "host/api/vm_control.hpp"
#include "host/async/task_group.hpp"
#include "host/daemon/event_pipeline.hpp"
#include "host/daemon/vm_actor.hpp"
#include "host/daemon/vm_uses.hpp"
#include "host/ports/guests.hpp"
#include "host/reconcile/seen.hpp"

#include <map>
#include <memory>
#include <set>

namespace vigil::daemon {

class VmRegistry final : public api::VmControl, public ports::Guests {
  public:
    VmRegistry(RunHost& host, EventPipeline& pipeline, store::Store& store);

    /// Replays every existing instance and takes up the runs that had not ended. Errors: those of the store.
    Result<void> load();
    boost::asio::awaitable<void> stop();

    /// What is known of the ids that a look has found; of one that the store never had, nothing.
    std::vector<reconcile::Known> known_of(const std::set<InstanceId>& ids) const;
    /// False: the store has never had an instance.
    bool knew_any() const;
    /// nullptr: it does not exist.
    VmActor* actor_of(const InstanceId& id) const;

    /// "3 VMs: 2 ready, 1 failed", for people.
    std::string in_words() const;

    api::DaemonFacts facts() const override;
    Result<InstanceId> create(machine::InstanceSpec spec, const std::string& actor) override;
    Result<RunNumber> start(const InstanceId& id, const std::string& actor) override;
    Result<void> stop(const InstanceId& id, machine::StopKind kind, std::optional<std::chrono::milliseconds> grace, const std::string& actor) override;
    void remove(const InstanceId& id, api::Removal removal, const std::string& actor, std::function<void(Result<void>)> done) override;
    void ask_guest(const InstanceId& id, api::GuestQuestion question, std::function<void(Result<std::string>)> done) override;
    /// Somebody's use of it is work (is_work()).
    bool is_worked_in(const InstanceId& id) const;
    void open_stream(const InstanceId& id, std::string opening, std::function<void(Result<streams::GuestStream>)> done) override;
    void open_port(const InstanceId& id, std::uint16_t port, std::string first, std::function<void(Result<streams::GuestStream>)> done) override;
    Result<api::PolicyLook> policy(const InstanceId& id, std::chrono::seconds later) const override;
    Result<void> order(const InstanceId& id, api::PolicyOrder order) override;
    Result<void> tell_decision(const InstanceId& id, machine::PolicyDecided decided);
    std::vector<InstanceId> ids() const;
    void on_use_changed(std::function<void(const InstanceId&)> changed) { uses_.on_change(std::move(changed)); }
    std::shared_ptr<const void> use(const InstanceId& id, policy::HolderKind kind, std::string name) { return uses_.begin(id, kind, std::move(name)); }

    Result<InstanceId> find_vm(std::string_view id_or_name, std::optional<uid_t> uid) const override;
    const machine::VmState* state_of(const InstanceId& id) const override;
    std::vector<api::Look> existing() const override;
    Result<api::Look> look(std::string_view id_or_name, std::optional<RunNumber> run) const override;
    Result<std::string> console(const InstanceId& id, RunNumber run) const override;
    void service_logs(const InstanceId& id, RunNumber run, blackbox::Shelf::Done<blackbox::Shelf::Folder> done) override;
    logs::LogHub& log_hub() override { return host_.log_hub; }
    blackbox::Shelf& shelf() override { return *host_.shelf; }
    std::string metrics() const override;
    void verify_image(images::Image image, std::function<void(Result<void>)> done) override;
    void collect_images(images::Collect how, std::function<void(Result<images::Collection>)> done) override;

  private:
    void open(const InstanceId& id, std::string opening, std::string first, std::function<void(Result<streams::GuestStream>)> done);
    using Done = std::function<void(Result<void>)>;
    Result<VmActor*> find(const InstanceId& id) const;
    InstanceId new_id() const;
    Result<void> resolve_image(machine::InstanceSpec& spec) const;
    boost::asio::awaitable<void> remove_when_idle(InstanceId id, std::string actor, Done done);
    boost::asio::awaitable<Result<void>> wait_until_idle(InstanceId id);
    boost::asio::awaitable<void> verify(images::Image image, Done done);
    boost::asio::awaitable<void> delete_images(images::Collection collected, std::function<void(Result<images::Collection>)> done);

    RunHost& host_;
    EventPipeline& pipeline_;
    store::Store& store_;
    UnixUs started_unix_us_;
    std::map<InstanceId, std::unique_ptr<VmActor>> actors_;
    std::set<InstanceId> removing_;
    VmUses uses_;
    async::TaskGroup tasks_;
};

}  // namespace vigil::daemon
