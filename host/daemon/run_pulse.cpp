// VmRun, third part: a guest that does not answer is looked at from outside, for as long as it does not.
//
// Before its agent is up the boot's stages have deadlines of their own, and a VM that is told to stop may be silent.
#include "host/async/deadline.hpp"
#include "host/daemon/vm_run.hpp"
#include "host/machine/pulse.hpp"

#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

namespace vigil::daemon {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds look_every{1'000}, look_seldom{10'000}, vmm_answer{3'000};
constexpr int frequent_looks = 120;
constexpr MonoUs silence_us = 10'000'000;   // on KVM: an open link that is silent for so long is told, whatever the reason

asio::awaitable<void> rest(std::chrono::milliseconds duration) {
    asio::steady_timer timer(co_await asio::this_coro::executor, duration);
    co_await timer.async_wait(asio::use_awaitable);
}

/// What it says by the time that it has counts.
asio::awaitable<Result<void>> ask_vmm(vmm::RunningVm* vm, machine::PulseTaken* taken, std::vector<vmm::Processor>* processors) {
    CO_TRY(status, co_await vm->run_state());
    taken->vmm_status = status;
    CO_TRY(told, co_await vm->processors());
    *processors = told;
    co_return Result<void>();
}

}  // namespace

/// Who doubts already goes on for as long as there is reason to.
void VmRun::doubt() {
    if (!std::exchange(doubts_, true)) tasks_.spawn("run.pulse", [this] { return doubt_guest(); });
}

asio::awaitable<void> VmRun::doubt_guest() {
    if (in_doubt()) co_await look_while_in_doubt();
    doubts_ = false;
}

bool VmRun::in_doubt() const {
    const auto& run = owner_.run_state().run;
    if (stopping_ || !run || !run->vmm || run->end || run->stop || run->bye || !link_) return false;
    if (run->stages[static_cast<std::size_t>(protocol::Stage::agent)].progress != machine::StageProgress::done) return false;
    return !link_->is_up() || link_->quiet().pings > 0;
}

asio::awaitable<void> VmRun::look_while_in_doubt() {
    const auto& vmm = *owner_.run_state().run->vmm;
    PulseWatch watch(vmm.vmm_pid, vmm.device_pid);
    const auto scale = static_cast<MonoUs>(protocol::deadline_scale(host_.accelerator.accelerator));
    std::optional<machine::Pulse> told;
    for (int looks = 0; in_doubt(); ++looks) {
        auto taken = co_await take_pulse(&watch);
        if (!in_doubt()) break;
        const auto pulse = machine::judge_pulse(taken);
        const bool overdue = taken.pings > 0 && taken.silent_ms * 1000 >= silence_us * scale;
        const bool is_news = told ? pulse != *told : pulse != machine::Pulse::silent || overdue;
        if (is_news) owner_.happened(std::move(taken));
        if (is_news) told = pulse;
        const auto pause_ms = looks < frequent_looks ? look_every : look_seldom;
        co_await rest(pause_ms);
    }
    const auto& run = owner_.run_state().run;
    machine::PulseTaken well;
    well.answers = true;
    if (told && run && run->pulse && !run->end) owner_.happened(std::move(well));
}

asio::awaitable<machine::PulseTaken> VmRun::take_pulse(PulseWatch* watch) {
    machine::PulseTaken taken;
    std::vector<vmm::Processor> processors;
    const VmmOrder order = [&taken, &processors](vmm::RunningVm& vm) { return ask_vmm(&vm, &taken, &processors); };
    auto asking = with_vmm(order);
    const auto asked = co_await async::with_deadline(std::move(asking), vmm_answer, "the VMM");
    if (!asked) spdlog::debug("run.vmm_not_asked vm={} err=\"{}\"", id_.value(), asked.error().message());
    const auto now = host_.clock.mono_us();
    watch->look(now, processors);
    watch->fill(taken);
    const auto quiet = link_->quiet();
    taken.pings = quiet.pings;
    taken.silent_ms = (now - std::min(now, link_->is_up() ? quiet.heard_us : link_heard_us_)) / 1000;
    taken.console_silent_ms = (now - std::min(now, console_heard_us_)) / 1000;
    co_return taken;
}

}  // namespace vigil::daemon
