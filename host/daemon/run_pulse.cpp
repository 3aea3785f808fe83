// VmRun, third part: a guest that does not answer is looked at from outside, for as long as it does not.
//
// Before its agent is up the boot's stages have deadlines of their own, and a VM that is told to stop may be silent.
#include "host/async/deadline.hpp"
#include "host/daemon/vm_run.hpp"
#include "host/machine/pulse.hpp"

#include <boost/asio/use_awaitable.hpp>

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

}  // namespace

asio::awaitable<void> VmRun::watch_pulse() {
    for (;;) {
        co_await doubt_.wait();
        co_await doubt_guest();
    }
}

bool VmRun::in_doubt() const {
    const auto& run = owner_.run_state().run;
    if (stopping_ || !run || !run->vmm || run->end || run->stop || run->bye || !link_) return false;
    if (run->stages[static_cast<std::size_t>(protocol::Stage::agent)].progress != machine::StageProgress::done) return false;
    return !link_->is_up() || link_->quiet().pings > 0;
}

asio::awaitable<void> VmRun::doubt_guest() {
    if (!in_doubt()) co_return;
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
    if (vm_) {
        auto asking = vm_->run_state();
        auto status = co_await async::with_deadline(std::move(asking), vmm_answer, "the VMM");
        if (status) taken.vmm_status = *status;
    }
    if (vm_ && !taken.vmm_status.empty()) {
        auto asking = vm_->processors();
        auto told = co_await async::with_deadline(std::move(asking), vmm_answer, "the VMM");
        if (told) processors = std::move(*told);
    }
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
