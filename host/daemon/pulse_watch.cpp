#include "host/daemon/pulse_watch.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace vigil::daemon {

namespace {

constexpr MonoUs kept_us = 20'000'000;
constexpr std::uint64_t same_place_bytes = 64;   // a loop that waits is short
constexpr std::size_t named_processors = 4;

std::string proc_text(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

bool stands_still(const std::vector<vmm::Processor>& before, const std::vector<vmm::Processor>& now) {
    if (now.empty() || before.size() != now.size()) return false;
    return std::ranges::equal(before, now, [](const vmm::Processor& then, const vmm::Processor& each) {
        const auto moved = then.at > each.at ? then.at - each.at : each.at - then.at;
        return then.interrupts_off && each.interrupts_off && moved < same_place_bytes;
    });
}

std::string places(const std::vector<vmm::Processor>& processors) {
    std::string text;
    for (std::size_t i = 0; i < processors.size() && i < named_processors; ++i) {
        char one[96];
        std::snprintf(one, sizeof one, "%sCPU %zu at %llx, interrupts %s%s", i == 0 ? "" : "; ", i, static_cast<unsigned long long>(processors[i].at),
                      processors[i].interrupts_off ? "off" : "on", processors[i].halted ? ", halted" : "");
        text += one;
    }
    return text;
}

/// "some avg10=6.04 avg60=...": the first figure, rounded.
std::optional<std::uint64_t> pressure_in(const std::string& text) {
    constexpr std::string_view mark = "some avg10=";
    const auto at = text.find(mark);
    if (at == std::string::npos) return std::nullopt;
    double percent = 0;
    if (std::sscanf(text.c_str() + at + mark.size(), "%lf", &percent) != 1 || percent < 0 || percent > 100) return std::nullopt;
    return static_cast<std::uint64_t>(percent + 0.5);
}

}  // namespace

PulseWatch::PulseWatch(std::int64_t vmm_pid, std::int64_t device_pid, const std::string& proc)
    : vmm_dir_(proc + "/" + std::to_string(vmm_pid)), device_dir_(device_pid > 0 ? proc + "/" + std::to_string(device_pid) : ""), pressure_path_(proc + "/pressure/cpu") {}

/// The letter behind "(name) ", whose name may hold anything.
std::string PulseWatch::state_of(const std::string& stat_path) const {
    const auto text = proc_text(stat_path);
    const auto end = text.rfind(") ");
    return end == std::string::npos || end + 2 >= text.size() ? "" : text.substr(end + 2, 1);
}

std::map<std::string, PulseWatch::Thread> PulseWatch::read_threads() const {
    std::map<std::string, Thread> threads;
    std::error_code failure;
    for (const auto& entry : std::filesystem::directory_iterator(vmm_dir_ + "/task", failure)) {
        const auto folder = entry.path().string();
        Thread thread;
        std::istringstream figures(proc_text(folder + "/schedstat"));
        if (!(figures >> thread.ran_ns >> thread.waited_ns)) continue;
        thread.runnable = state_of(folder + "/stat") == "R";
        threads[entry.path().filename().string()] = thread;
    }
    return threads;
}

void PulseWatch::look(MonoUs now, const std::vector<vmm::Processor>& processors) {
    looks_stuck_ = stands_still(processors_, processors) ? looks_stuck_ + 1 : 0;
    processors_ = processors;
    samples_.push_back({now, read_threads()});
    while (samples_.size() > 2 && samples_[1].at_us + kept_us <= now) samples_.pop_front();
}

void PulseWatch::fill(machine::PulseTaken& taken) const {
    taken.vmm_process = state_of(vmm_dir_ + "/stat");
    if (!device_dir_.empty()) taken.device_process = state_of(device_dir_ + "/stat");
    taken.host_busy_percent = pressure_in(proc_text(pressure_path_));
    taken.looks_stuck = looks_stuck_;
    taken.processors = places(processors_);
    if (samples_.empty()) return;
    const auto& first = samples_.front();
    const auto& last = samples_.back();
    taken.span_ms = (last.at_us - first.at_us) / 1000;
    for (const auto& [id, thread] : last.threads) {
        const auto before = first.threads.find(id);
        if (before == first.threads.end()) continue;
        const auto ran = (thread.ran_ns - before->second.ran_ns) / 1'000'000;
        auto waited = (thread.waited_ns - before->second.waited_ns) / 1'000'000;
        // The kernel adds a wait up when it is over: of a thread that could run at both ends the rest of the time was waiting too.
        if (thread.runnable && before->second.runnable && ran < taken.span_ms) waited = std::max(waited, taken.span_ms - ran);
        if (ran + waited <= taken.ran_ms + taken.waited_ms) continue;
        taken.ran_ms = ran;
        taken.waited_ms = waited;
    }
}

}  // namespace vigil::daemon
