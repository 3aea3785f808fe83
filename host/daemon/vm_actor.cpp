#include "host/daemon/vm_actor.hpp"

#include "host/async/blocking.hpp"
#include "host/daemon/box_packing.hpp"
#include "host/daemon/effect_step.hpp"
#include "host/daemon/evidence.hpp"
#include "host/daemon/kept_secrets.hpp"
#include "host/images/sha256.hpp"
#include "host/machine/reduce.hpp"
#include "shared/base/overloaded.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace vigil::daemon {

namespace asio = boost::asio;

namespace {
constexpr std::size_t kept_run_directories = 5;   // of ended runs, beside their black boxes
}

VmActor::VmActor(RunHost& host, EventPipeline& pipeline, store::Store& store, InstanceId id, store::Restored restored)
    : host_(host),
      pipeline_(pipeline),
      store_(store),
      id_(std::move(id)),
      state_(std::move(restored.state)),
      snapshot_(restored.replayed),
      deadlines_(host.io, host.clock, [this](const std::string& name) { happened(machine::DeadlinePassed{name}); }),
      next_start_(host.io, host.clock, [this](const std::string& actor) { start_next(actor); }),
      tasks_(host.io.get_executor()) {}

VmActor::~VmActor() { pipeline_.forget(*this); }

machine::VmEvent VmActor::event(machine::EventBody body) const {
    return {0, id_, run_number(), host_.clock.unix_us(), host_.clock.mono_us(), std::move(body)};
}

void VmActor::happened(machine::EventBody body) {
    auto recorded = event(std::move(body));
    // A VMM that ended while no daemon ran ended when its shim says, not when we came to know of it.
    if (const auto* exited = std::get_if<machine::VmmExited>(&recorded.body); exited != nullptr && exited->ended_unix_us != 0) {
        const UnixUs late = recorded.at_unix_us > exited->ended_unix_us ? recorded.at_unix_us - exited->ended_unix_us : 0;
        recorded.at_unix_us -= late;
        recorded.mono_us -= std::min(recorded.mono_us, late);
    }
    pipeline_.submit(*this, std::move(recorded));
}

// ---- commands ----

Result<void> VmActor::create(machine::InstanceSpec spec) {
    secrets_ = spec.secrets;
    return pipeline_.record(*this, event(machine::Created{std::move(spec)}));
}

Result<RunNumber> VmActor::start(const std::string& actor) {
    TRY(number, machine::next_run(state_));
    next_start_.cancel_all();
    auto requested = event(machine::StartRequested{actor, host_.accelerator.accelerator});
    requested.run = number;
    TRY_VOID(pipeline_.record(*this, std::move(requested)));
    if (run_)
        open_when_retired_ = true;  // the run before is still being put away
    else
        open_run();
    return number;
}

Result<void> VmActor::request_stop(machine::StopRequested request) {
    // Of an ended run only what would follow by itself can be stopped; its cause stays what it was.
    const bool has_effect = is_running() || next_start_.any();
    if (!has_effect) return {};
    next_start_.cancel_all();
    return pipeline_.record(*this, event(std::move(request)));
}

void VmActor::ask_guest(api::GuestQuestion question, VmRun::GuestAnswer done) {
    if (!run_) return done(Error(Errc::unavailable, question.op + ": the VM does not run"));
    run_->ask(std::move(question), std::move(done));
}

void VmActor::open_stream(std::string opening, std::string first, VmRun::StreamOpened done) {
    if (!run_) return done(Error(Errc::unavailable, "the VM does not run; vigil start starts it"));
    run_->open_stream(std::move(opening), std::move(first), std::move(done));
}

Result<void> VmActor::mark_removed(const std::string& actor) {
    next_start_.cancel_all();
    return pipeline_.record(*this, event(machine::Removed{actor}));
}

void VmActor::open_run() {
    run_ = std::make_unique<VmRun>(host_, static_cast<RunOwner&>(*this), state_.spec, id_, run_number());
    run_->start();
}

void VmActor::start_next(const std::string& actor) {
    if (const auto started = start(actor); !started) spdlog::warn("vm.next_run_failed vm={} err=\"{}\"", id_.value(), started.error().message());
}

void VmActor::resume() {
    if (state_.removed) return;
    take_kept_secrets();
    if (is_running()) {
        run_ = std::make_unique<VmRun>(host_, static_cast<RunOwner&>(*this), state_.spec, id_, run_number());
        run_->adopt();
    }
    for (const auto& effect : machine::pending_effects(state_)) carry_out(effect);
}

void VmActor::take_kept_secrets() {
    if (state_.spec.secrets.empty()) return;
    auto kept = read_kept_secrets(host_.places, id_);
    if (kept && !kept->empty()) secrets_ = std::move(*kept);
    if (secrets_.empty())
        spdlog::error("vm.secrets_lost vm={} err=\"{}\"", id_.value(), kept ? "they were not kept; its output is not masked any more" : kept.error().message());
}

void VmActor::autostart() {
    autostart_ = true;
    autostart_when_idle();
}

void VmActor::autostart_when_idle() {
    if (!autostart_ || run_) return;
    autostart_ = false;
    if (is_running() || next_start_.any()) return;   // its restart policy starts it
    spdlog::info("vm.autostart vm={} name={}", id_.value(), state_.spec.name.value());
    start_next("autostart");
}

void VmActor::when_idle(std::function<void()> idle) {
    if (!run_ && packing_ == 0) return idle();
    idle_waiters_.push_back(std::move(idle));
}

asio::awaitable<void> VmActor::stop() {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    deadlines_.cancel_all();
    next_start_.cancel_all();
    co_await tasks_.stop();
    if (run_) co_await run_->stop();
    run_.reset();
    if (snapshot_.is_worth_it()) snapshot_.keep_now(store_, state_);
}

// ---- what comes back from the pipeline ----

void VmActor::log_state() {
    const auto& announced = state_.announced;
    if (!announced || announced->state == logged_) return;
    logged_ = announced->state;
    const auto level = announced->cause ? spdlog::level::warn : spdlog::level::info;
    spdlog::log(level, "vm.state vm={} name={} run={} state={} cause={}", id_.value(), state_.spec.name.value(), run_number().value(),
                to_text(announced->state), announced->cause ? announced->cause->text : "none");
}

void VmActor::committed(const std::vector<machine::Effect>& effects, const std::set<Stream>& reported, std::size_t events) {
    log_state();
    snapshot_.folded(events);
    if (run_ && !reported.empty()) {
        const fault::Around around(fault::Step::acknowledge);
        for (const auto& [epoch, boot] : reported) run_->acknowledge(boot, epoch, acknowledged(boot, epoch));
    }
    if (run_) run_->events_committed();
    for (const auto& effect : effects) carry_out(effect);
    snapshot_.keep_with_next(store_, state_);
}

void VmActor::reports_refused() {
    if (run_) run_->break_link("its reports cannot be stored at the moment");
}

void VmActor::carry_out(const machine::Effect& effect) {
    const fault::Around around(step_of(effect));
    std::visit(Overloaded{[this](const machine::ArmDeadline& arm) { deadlines_.arm(arm.name, arm.due_mono_us); },
                          [this](const machine::CancelDeadline& cancel) { deadlines_.cancel(cancel.name); },
                          [this](const machine::RequestGuestShutdown& request) {
                              if (run_) run_->request_shutdown(request.kind);
                          },
                          [this](const machine::KillVmm& kill) {
                              if (run_) run_->kill(kill.signal, kill.why);
                          },
                          [this](const machine::ArchiveRun&) {
                              if (run_ && !std::exchange(retiring_, true)) tasks_.spawn("vm.retire", [this] { return retire(); });
                              // A daemon before us died over it.
                              const bool is_left = !run_ && packing_ == 0 && state_.run && state_.run->end;
                              if (is_left && !is_boxed(host_.places.log_dir(id_, run_number()))) box_up(state_);
                          },
                          [this](const machine::StartNextRun& next) {
                              const auto after = static_cast<MonoUs>(std::chrono::microseconds(next.after).count());
                              next_start_.arm(next.actor, host_.clock.mono_us() + after);
                          },
                          [this](const machine::EndRestarts& ended) {
                              spdlog::warn("vm.restarts_ended vm={} name={} count={} first_run={}", id_.value(), state_.spec.name.value(), ended.count, ended.first_run.value());
                              happened(machine::RestartsEnded{ended.count, ended.first_run});
                          }},
               effect);
}

/// The run has ended and everybody knows: closes what it had open, takes its sockets away.
asio::awaitable<void> VmActor::retire() {
    const auto number = run_->number();
    co_await run_->stop();
    run_.reset();
    retiring_ = false;
    // The next run may have been asked for already: then the state is of that one.
    auto ended = state_;
    if (ended.run && ended.run->number != number) {
        const auto history = store_.history(id_);
        auto replayed = history ? machine::replay_run(history->events, number) : std::nullopt;
        ended = replayed ? std::move(*replayed) : machine::VmState{};
    }
    if (ended.run) box_up(std::move(ended));
    remove_run_dir();
    if (std::exchange(open_when_retired_, false)) {
        open_run();
        co_return;
    }
    autostart_when_idle();
    tell_idle();
}

void VmActor::remove_run_dir() {
    const fault::Around around(fault::Step::remove_run_dir);
    std::error_code ignored;
    std::filesystem::remove_all(host_.places.run_dir(id_), ignored);
}

void VmActor::tell_idle() {
    if (run_ || packing_ != 0) return;
    const auto waiters = std::exchange(idle_waiters_, {});
    for (const auto& idle : waiters) idle();
}

std::vector<std::string> VmActor::secret_values() const {
    std::vector<std::string> values;
    for (const auto& secret : secrets_) values.push_back(secret.second);
    return values;
}

void VmActor::box_up(machine::VmState ended) {
    ++packing_;
    auto shared = std::make_shared<machine::VmState>(std::move(ended));
    tasks_.spawn("vm.blackbox", [this, shared] { return pack(std::move(*shared)); });
}

asio::awaitable<void> VmActor::pack(machine::VmState ended) {
    const auto run = ended.run->number;
    auto name = state_.spec.name;
    auto secrets = secret_values();
    auto collecting = collect_box(&host_, &store_, std::move(name), std::move(ended), std::move(secrets));
    auto job = co_await std::move(collecting);
    Result<void> packed = job ? Result<void>() : Result<void>(job.error());
    if (job) {
        const std::function<Result<void>()> work = [job = std::move(*job), shelf = host_.shelf.get(), now = host_.clock.unix_us(), is_ending = host_.is_ending] {
            if (*is_ending) return Result<void>(Error(Errc::unavailable, "the daemon ends; the next start writes it"));
            auto done = pack_box(job);
            shelf->discard(now);
            return done;
        };
        packed = co_await async::run_blocking<Result<void>>(host_.pool, work);
    }
    if (!packed && *host_.is_ending) spdlog::debug("blackbox.left vm={} run={}", id_.value(), run.value());
    else if (!packed) spdlog::error("blackbox.not_written vm={} run={} err=\"{}\"", id_.value(), run.value(), packed.error().message());
    else drop_old_runs(host_.places, id_, kept_run_directories);
    --packing_;
    tell_idle();
}

// ---- what the run asks ----

std::vector<std::string> VmActor::console_tail() const {
    if (run_) return run_->console_tail();
    if (!state_.run) return {};
    return console_tail_of(host_.places, id_, state_.run->number);
}

guest_link::TokenCheck VmActor::check_token(const BootId& boot, const std::string& token) {
    const auto recorded = store_.token_sha256(id_, run_number(), boot);
    if (!recorded) {
        spdlog::error("vm.token_not_read vm={} err=\"{}\"", id_.value(), recorded.error().message());
        return guest_link::TokenCheck::differs;
    }
    if (!*recorded) return guest_link::TokenCheck::none_recorded;
    return images::sha256_hex(token) == **recorded ? guest_link::TokenCheck::fits : guest_link::TokenCheck::differs;
}

Result<void> VmActor::remember_token(const BootId& boot, const std::string& token) {
    return pipeline_.record(*this, event(machine::TokenBound{boot, images::sha256_hex(token)}));
}

Seq VmActor::acknowledged(const BootId& boot, Epoch epoch) { return store_.acknowledged(id_, run_number(), epoch, boot); }

}  // namespace vigil::daemon
