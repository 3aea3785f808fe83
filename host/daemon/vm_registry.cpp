#include "host/daemon/vm_registry.hpp"

#include "host/access/caller.hpp"
#include "host/async/blocking.hpp"
#include "host/async/notification.hpp"
#include "host/daemon/evidence.hpp"
#include "host/daemon/kept_secrets.hpp"
#include "host/daemon/policy_facts.hpp"
#include "host/machine/egress_policy.hpp"
#include "host/machine/reduce.hpp"
#include "host/shim/process_identity.hpp"
#include "host/vmm/vsock_device.hpp"
#include "shared/streams/chunk.hpp"
#include "shared/streams/opening.hpp"

#include <spdlog/spdlog.h>

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace vigil::daemon {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds default_grace{10'000};  // on KVM
constexpr std::chrono::milliseconds end_after_kill{60'000};

std::uint64_t random_bits() {
    std::uint64_t bits = 0;
    if (::getrandom(&bits, sizeof(bits), 0) != static_cast<ssize_t>(sizeof(bits))) std::abort();
    return bits;
}

/// "minimal-x7k2q": the image's name and the end of the id.
InstanceName invent_name(const machine::InstanceSpec& spec, const InstanceId& id) {
    return InstanceName(spec.image_name.substr(0, 50) + "-" + id.value().substr(id.value().size() - 5));
}

/// Since a daemon last began with this state. What no daemon has written down yet is no reboot: nothing is started by surprise.
bool host_was_rebooted(const Places& places) {
    const auto path = places.state / "host_boot";
    std::string before;
    std::ifstream(path) >> before;
    const auto now = shim::host_boot_id();
    if (before == now) return false;
    std::ofstream(path) << now << '\n';
    return !before.empty();
}

}  // namespace

VmRegistry::VmRegistry(RunHost& host, EventPipeline& pipeline, store::Store& store)
    : host_(host), pipeline_(pipeline), store_(store), started_unix_us_(host.clock.unix_us()), uses_(host.clock), tasks_(host.io.get_executor()) {}

Result<void> VmRegistry::load() {
    TRY(rows, store_.instances());
    for (const auto& row : rows) {
        TRY(restored, store::restore_state(store_, row.id));
        if (!restored.unused.empty()) spdlog::info("vm.snapshot_not_used vm={} err=\"{}\"", row.id.value(), restored.unused);
        if (restored.skipped != 0) spdlog::warn("vm.events_skipped vm={} events={}", row.id.value(), restored.skipped);
        auto actor = std::make_unique<VmActor>(host_, pipeline_, store_, row.id, std::move(restored));
        actors_[row.id] = std::move(actor);
    }
    const bool rebooted = host_was_rebooted(host_.places);
    for (const auto& [id, actor] : actors_) {
        actor->resume();
        if (rebooted && actor->known().spec.autostart) actor->autostart();
    }
    return {};
}

asio::awaitable<void> VmRegistry::stop() {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    *host_.is_ending = true;
    co_await tasks_.stop();
    const auto left = std::ranges::count_if(actors_, [](const auto& each) { return each.second->is_packing(); });
    if (left != 0) spdlog::info("daemon.boxes_left vms={} why=\"the daemon ends: it finishes the black box at hand, and the next start packs the others\"", left);
    for (auto& [id, actor] : actors_) co_await actor->stop();
    pipeline_.flush();  // what was queued while they ended
    actors_.clear();
}

// ---- commands ----

InstanceId VmRegistry::new_id() const {
    for (;;) {
        auto id = make_instance_id(random_bits());
        if (!store_.find_instance(id.value())) return id;
    }
}

Result<void> VmRegistry::resolve_image(machine::InstanceSpec& spec) const {
    TRY(image, host_.images.resolve(machine::image_reference(spec)));
    TRY_VOID(images::ImageStore::verify_files(image));
    spec.image_digest = image.digest;
    return {};
}

Result<InstanceId> VmRegistry::create(machine::InstanceSpec spec, const std::string& actor) {
    const auto& vmm = host_.vmms.found_by(spec.vmm);
    if (spec.vmm == machine::VmmChoice::firecracker && !vmm.driver) return Error(Errc::unsupported, "vmm: " + vmm.error);
    if (!spec.egress.empty()) TRY_VOID(machine::parse_egress_policy(spec.egress));
    TRY_VOID(resolve_image(spec));
    const InstanceId id = new_id();
    if (spec.name.value().empty()) spec.name = invent_name(spec, id);
    const auto name = spec.name.value();
    auto created = std::make_unique<VmActor>(host_, pipeline_, store_, id, store::Restored{});
    TRY_VOID(make_instance_dir(host_.places, id, spec));
    auto recorded = keep_secrets(host_.places, id, spec.secrets);
    if (recorded) recorded = created->create(std::move(spec));
    if (!recorded) {
        std::error_code ignored;
        std::filesystem::remove_all(host_.places.instance(id), ignored);  // made a moment ago, by us, for nothing
        if (recorded.error().code() == Errc::conflict) return Error(Errc::conflict, "the name " + name + " is taken by another instance");
        return recorded.error();
    }
    end_creation(host_.places, id);
    spdlog::info("vm.created vm={} name={} actor=\"{}\"", id.value(), name, actor);
    actors_[id] = std::move(created);
    return id;
}

Result<VmActor*> VmRegistry::find(const InstanceId& id) const {
    const auto found = actors_.find(id);
    if (found == actors_.end()) return Error(Errc::not_found, "there is no instance " + id.value());
    return found->second.get();
}

Result<RunNumber> VmRegistry::start(const InstanceId& id, const std::string& actor) {
    TRY(vm, find(id));
    uses_.touch(id);
    return vm->start(actor);
}

Result<void> VmRegistry::stop(const InstanceId& id, machine::StopKind kind, std::optional<std::chrono::milliseconds> grace, const std::string& actor) {
    TRY(vm, find(id));
    const auto scale = protocol::deadline_scale(host_.accelerator.accelerator);
    return vm->request_stop({kind, grace.value_or(default_grace * scale), actor});
}

void VmRegistry::ask_guest(const InstanceId& id, api::GuestQuestion question, std::function<void(Result<std::string>)> done) {
    const auto found = find(id);
    if (!found) return done(found.error());
    uses_.touch(id);
    (*found)->ask_guest(std::move(question), std::move(done));
}

bool VmRegistry::is_worked_in(const InstanceId& id) const {
    return std::ranges::any_of(uses_.holders(id), is_work);
}

void VmRegistry::open_stream(const InstanceId& id, std::string opening, std::function<void(Result<streams::GuestStream>)> done) {
    open(id, std::move(opening), {}, std::move(done));
}

void VmRegistry::open_port(const InstanceId& id, std::uint16_t port, std::string first, std::function<void(Result<streams::GuestStream>)> done) {
    std::string chunks;
    if (!first.empty()) streams::append_chunks(chunks, streams::Channel::data, first);
    open(id, streams::encode(streams::Opening(streams::TcpOpening{port})), std::move(chunks), std::move(done));
}

void VmRegistry::open(const InstanceId& id, std::string opening, std::string first, std::function<void(Result<streams::GuestStream>)> done) {
    const auto found = find(id);
    if (!found) return done(found.error());
    auto use = use_of(opening);
    auto token = uses_.begin(id, use.kind, std::move(use.name));
    (*found)->open_stream(std::move(opening), std::move(first), [token, done = std::move(done)](Result<streams::GuestStream> stream) {
        if (stream) stream->in_use = token;
        done(std::move(stream));
    });
}

// ---- policies ----

std::vector<InstanceId> VmRegistry::ids() const {
    std::vector<InstanceId> all;
    for (const auto& each : actors_) all.push_back(each.first);
    return all;
}

Result<api::PolicyLook> VmRegistry::policy(const InstanceId& id, std::chrono::seconds later) const {
    TRY(vm, find(id));
    api::PolicyLook look{settings_of(vm->known().spec), facts_of(vm->known(), uses_, host_.clock.unix_us()), {}};
    look.facts.now += static_cast<UnixUs>(std::chrono::microseconds(later).count());
    look.decisions = policy::decide(look.settings, look.facts);
    return look;
}

Result<void> VmRegistry::order(const InstanceId& id, api::PolicyOrder order) {
    TRY(vm, find(id));
    uses_.touch(id);
    if (std::holds_alternative<machine::LeaseSet>(order) && !vm->is_running()) return Error(Errc::conflict, "a lease is of a run, and the VM does not run; vigil start starts it");
    if (const auto* const hold = std::get_if<machine::HoldSet>(&order)) {
        const auto& holds = vm->known().holds;
        const auto now = host_.clock.unix_us();
        const auto living = std::count_if(holds.begin(), holds.end(), [now](const auto& each) { return each.second.until_unix_us > now; });
        if (hold->until_unix_us > now && !holds.contains(hold->holder) && static_cast<std::size_t>(living) >= machine::max_holds)
            return Error(Errc::limit, "it has " + std::to_string(living) + " holds, and may have no more; release one");
    }
    machine::EventBody body = std::visit([](auto& each) { return machine::EventBody(std::move(each)); }, order);
    return vm->record_policy(std::move(body));
}

Result<void> VmRegistry::tell_decision(const InstanceId& id, machine::PolicyDecided decided) {
    TRY(vm, find(id));
    return vm->record_policy(std::move(decided));
}

Result<InstanceId> VmRegistry::find_vm(std::string_view id_or_name, std::optional<uid_t> uid) const {
    TRY(row, store_.find_instance(id_or_name));
    // A door without a name reaches what nobody owns: the VMs of the local admin, who opened it.
    const bool sees = uid ? access::local_caller(*uid, ::geteuid()).sees(row.spec.owner) : row.spec.owner.empty();
    if (!sees) return Error(Errc::not_found, "there is no instance \"" + std::string(id_or_name) + "\"");
    TRY(vm, find(row.id));
    if (vm->known().removed) return Error(Errc::not_found, "instance " + row.name.value() + " was removed");
    return row.id;
}

const machine::VmState* VmRegistry::state_of(const InstanceId& id) const {
    const auto found = actors_.find(id);
    return found == actors_.end() ? nullptr : &found->second->known();
}

void VmRegistry::remove(const InstanceId& id, api::Removal removal, const std::string& actor, Done done) {
    const auto found = find(id);
    if (!found) return done(found.error());
    auto& vm = **found;
    if (vm.is_running() && removal == api::Removal::only_when_stopped)
        return done(Error(Errc::conflict, vm.known().spec.name.value() + " runs; stop it first, or remove it with force"));
    if (vm.is_running()) {
        const auto killed = vm.request_stop({machine::StopKind::kill, std::chrono::milliseconds(0), actor});
        if (!killed) return done(killed.error());
    }
    tasks_.spawn("vm.remove", [this, id, actor, done] { return remove_when_idle(id, actor, done); });
}

asio::awaitable<Result<void>> VmRegistry::wait_until_idle(InstanceId id) {
    auto idle = std::make_shared<async::Notification>(host_.io.get_executor());
    const auto found = actors_.find(id);
    if (found == actors_.end()) co_return Error(Errc::not_found, "it was removed meanwhile");
    found->second->when_idle([idle] { idle->notify(); });
    const bool in_time = co_await idle->wait_for(end_after_kill);
    if (!in_time) co_return Error(Errc::timeout, "its VMM did not end within a minute after the kill");
    co_return Result<void>();
}

asio::awaitable<void> VmRegistry::remove_when_idle(InstanceId id, std::string actor, Done done) {
    auto idle = co_await wait_until_idle(id);
    if (!idle) co_return done(idle.error());
    const auto found = actors_.find(id);
    if (found == actors_.end()) co_return done(Error(Errc::not_found, "it was removed meanwhile"));
    const auto recorded = found->second->mark_removed(actor);
    if (!recorded) co_return done(recorded.error());
    const std::shared_ptr<VmActor> removed = std::move(found->second);
    uses_.forget(id);
    actors_.erase(found);
    removing_.insert(id);
    co_await removed->stop();
    removing_.erase(id);
    const auto archived = archive_and_delete(host_.places, id);
    if (!archived) spdlog::error("vm.archive_failed vm={} err=\"{}\"", id.value(), archived.error().message());
    spdlog::info("vm.removed vm={} actor=\"{}\"", id.value(), actor);
    done(archived);
}

// ---- reconciliation ----

VmActor* VmRegistry::actor_of(const InstanceId& id) const {
    const auto found = actors_.find(id);
    return found == actors_.end() ? nullptr : found->second.get();
}

bool VmRegistry::knew_any() const {
    const auto removed = store_.removed_instances(1);
    return !actors_.empty() || !removed || !removed->empty();
}

std::vector<reconcile::Known> VmRegistry::known_of(const std::set<InstanceId>& ids) const {
    std::vector<reconcile::Known> known;
    for (const auto& id : ids) {
        if (const auto* const vm = actor_of(id)) {
            const auto& run = vm->known().run;
            const auto idle_since = run && run->end ? run->end->at_unix_us : vm->known().created_unix_us;
            known.push_back({id, false, vm->is_busy() || vm->is_running(), idle_since});
            continue;
        }
        const auto row = store_.find_instance(id.value());
        const bool is_unknown = row ? row->id != id : row.error().code() == Errc::not_found;
        if (is_unknown) continue;
        // A store that cannot be read, or a row without an actor, is no proof of anything.
        const bool is_gone = row && row->removed_unix_us.has_value();
        known.push_back({id, is_gone, !is_gone || removing_.contains(id), is_gone ? *row->removed_unix_us : 0});
    }
    return known;
}

// ---- looks ----

std::string VmRegistry::in_words() const {
    std::map<protocol::RunState, std::size_t> counts;
    for (const auto& each : actors_) {
        const auto& announced = each.second->known().announced;
        ++counts[announced ? announced->state : protocol::RunState::stopped];
    }
    std::string text = std::to_string(actors_.size()) + (actors_.size() == 1 ? " VM" : " VMs");
    for (const auto& [state, count] : counts) text += (text.find(':') == text.npos ? ": " : ", ") + std::to_string(count) + " " + std::string(to_text(state));
    return text;
}

api::DaemonFacts VmRegistry::facts() const {
    api::DaemonFacts facts;
    facts.state_dir = host_.places.state.string();
    facts.run_dir = host_.places.run.string();
    facts.pid = ::getpid();
    facts.accelerator = host_.accelerator.accelerator;
    facts.accelerator_why = host_.accelerator.why;
    facts.started_unix_us = started_unix_us_;
    for (const auto* name : {"qemu", "firecracker"}) {
        const auto& vmm = std::string_view(name) == "qemu" ? host_.vmms.qemu : host_.vmms.firecracker;
        facts.vmms.push_back({name, vmm.version, vmm.error, &vmm == &host_.vmms.chosen_by(machine::VmmChoice::automatic)});
    }
    if (const auto device = vmm::find_vsock_device(host_.program_dir)) facts.vsock_device = *device;
    return facts;
}

std::vector<api::Look> VmRegistry::existing() const {
    std::vector<api::Look> looks;
    const auto rows = store_.instances();
    if (!rows) return looks;
    for (const auto& row : *rows)
        if (const auto found = actors_.find(row.id); found != actors_.end()) looks.push_back({row, found->second->known(), found->second->console_tail()});
    return looks;
}

Result<api::Look> VmRegistry::look(std::string_view id_or_name, std::optional<RunNumber> run) const {
    TRY(row, store_.find_instance(id_or_name));
    const auto found = actors_.find(row.id);
    const bool is_current = found != actors_.end() && (!run || (found->second->known().run && found->second->known().run->number == *run));
    if (is_current) return api::Look{row, found->second->known(), found->second->console_tail()};
    api::Look look{row, {}, {}};
    if (run) {
        TRY(history, store_.history(row.id));
        auto state = machine::replay_run(history.events, *run);
        if (!state) return Error(Errc::not_found, "instance " + row.name.value() + " has no run " + std::to_string(run->value()));
        look.state = std::move(*state);
    } else {
        TRY(restored, store::restore_state(store_, row.id));
        look.state = std::move(restored.state);
    }
    if (look.state.run) look.console_tail = console_tail_of(host_.places, row.id, look.state.run->number);
    return look;
}

Result<std::string> VmRegistry::console(const InstanceId& id, RunNumber run) const { return console_of(host_.places, id, run); }

void VmRegistry::service_logs(const InstanceId& id, RunNumber run, blackbox::Shelf::Done<blackbox::Shelf::Folder> done) {
    const blackbox::BoxName box{id, run};
    if (!has_log_dir(host_.places, id, run) && host_.shelf->has(box)) return host_.shelf->open_folder(box, "services", std::move(done));
    const auto path = find_log_dir(host_.places, id, run) / "services";
    done(std::make_shared<const std::filesystem::path>(path));
}

std::string VmRegistry::metrics() const {
    std::vector<const machine::VmState*> instances;
    for (const auto& each : actors_) instances.push_back(&each.second->known());
    metrics::DaemonFigures figures;
    figures.version = VIGIL_VERSION;
    figures.newest_event = store_.newest_seq();
    figures.commit_failures = pipeline_.commit_failures();
    for (const auto& box : host_.shelf->stored()) {
        ++figures.black_boxes;
        figures.black_box_bytes += box.bytes;
    }
    return host_.metrics.text(instances, figures);
}

void VmRegistry::verify_image(images::Image image, Done done) {
    auto shared = std::make_shared<images::Image>(std::move(image));
    tasks_.spawn("image.verify", [this, shared, done] { return verify(*shared, done); });
}

asio::awaitable<void> VmRegistry::verify(images::Image image, Done done) {
    const std::function<Result<void>()> work = [image = std::move(image)] { return images::ImageStore::verify_contents(image); };
    const auto verified = co_await async::run_blocking<Result<void>>(host_.pool, work);
    done(verified);
}

void VmRegistry::collect_images(images::Collect how, std::function<void(Result<images::Collection>)> done) {
    const auto rows = store_.instances();
    if (!rows) return done(rows.error());  // who has which image is not known: nothing is removed
    std::set<std::string> used;
    for (const auto& row : *rows) used.insert(row.spec.image_digest);
    const auto collected = images::collect_unused(host_.places.images(), used, how);
    if (!collected || how == images::Collect::only_look) return done(collected);
    for (const auto& image : collected->unused) spdlog::info("image.removed image={}@{} bytes={}", image.name, image.digest, image.bytes);
    auto shared = std::make_shared<images::Collection>(*collected);
    tasks_.spawn("image.collect", [this, shared, done] { return delete_images(*shared, done); });
}

asio::awaitable<void> VmRegistry::delete_images(images::Collection collected, std::function<void(Result<images::Collection>)> done) {
    const std::function<Result<void>()> work = [images = host_.places.images()] { return images::delete_set_aside(images); };
    const auto deleted = co_await async::run_blocking<Result<void>>(host_.pool, work);
    if (!deleted) co_return done(deleted.error());
    done(std::move(collected));
}

}  // namespace vigil::daemon
