// Looks at real processes of the test's own, and at a /proc that it wrote.
#include "host/daemon/pulse_watch.hpp"
#include "host/machine/pulse.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace vigil::daemon {

using vigil::daemon::PulseWatch;
using vmm::Processor;

namespace {

const std::vector<Processor> stuck_here = {{0xffffffffc0401008, true, false}};

/// A VMM of one thread, as the kernel shows it.
struct FakeProc {
    test::TemporaryDirectory directory;
    std::string proc = directory.path().string();

    void write(const std::string& path, const std::string& text) const {
        const auto file = directory.path() / path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
    }
    void vmm(const std::string& letter, std::uint64_t ran_ms, std::uint64_t waited_ms) const {
        write("7/stat", "7 (qemu) (x) " + letter + " 1 7 7 0");
        write("7/task/8/stat", "8 (CPU 0/TCG) " + letter + " 1 7 7 0");
        write("7/task/8/schedstat", std::to_string(ran_ms * 1'000'000) + " " + std::to_string(waited_ms * 1'000'000) + " 5\n");
    }
};

machine::PulseTaken figures(const PulseWatch& watch) {
    machine::PulseTaken taken;
    watch.fill(taken);
    return taken;
}

}  // namespace

TEST_CASE("pulse watch: what a thread ran and waited between the first look and the last", "[host][daemon]") {
    FakeProc fake;
    fake.write("pressure/cpu", "some avg10=93.61 avg60=6.07 avg300=4.45 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
    fake.vmm("S", 1000, 50);
    PulseWatch watch(7, 0, fake.proc);
    watch.look(1'000'000, {});
    fake.vmm("S", 1200, 3050);
    watch.look(11'000'000, {});
    const auto taken = figures(watch);
    CHECK(taken.span_ms == 10'000);
    CHECK(taken.ran_ms == 200);
    CHECK(taken.waited_ms == 3000);
    CHECK(taken.vmm_process == "S");
    CHECK(taken.device_process.empty());
    CHECK(taken.host_busy_percent == 94);
}

TEST_CASE("pulse watch: a thread that wants to run and does not is waiting, though the kernel has not added it up yet", "[host][daemon]") {
    FakeProc fake;
    fake.vmm("R", 1000, 50);
    PulseWatch watch(7, 0, fake.proc);
    watch.look(1'000'000, {});
    watch.look(11'000'000, {});
    CHECK(figures(watch).waited_ms == 10'000);
    CHECK(figures(watch).vmm_process == "R");
}

TEST_CASE("pulse watch: processors are stuck when they stand with interrupts off, look after look", "[host][daemon]") {
    PulseWatch watch(::getpid(), 0);
    for (MonoUs at = 1; at <= 4; ++at) watch.look(at * 2'000'000, stuck_here);
    CHECK(figures(watch).looks_stuck == 3);
    CHECK(figures(watch).processors == "CPU 0 at ffffffffc0401008, interrupts off");
    SECTION("one look with interrupts on ends it") {
        watch.look(10'000'000, {{0xffffffffc0401008, false, false}});
        CHECK(figures(watch).looks_stuck == 0);
        watch.look(12'000'000, stuck_here);
        CHECK(figures(watch).looks_stuck == 0);
    }
    SECTION("a step to another place ends it") {
        watch.look(10'000'000, {{0xffffffff81000000, true, false}});
        CHECK(figures(watch).looks_stuck == 0);
    }
    SECTION("a VMM that does not tell ends it") {
        watch.look(10'000'000, {});
        CHECK(figures(watch).looks_stuck == 0);
    }
}

TEST_CASE("pulse watch: a process that is stopped shows it, one that is gone shows nothing", "[host][daemon]") {
    const pid_t child = ::fork();
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    ::kill(child, SIGSTOP);
    ::waitpid(child, nullptr, WUNTRACED);
    PulseWatch watch(::getpid(), child);
    watch.look(1, {});
    CHECK(figures(watch).device_process == "T");
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    CHECK(figures(watch).device_process.empty());
    CHECK_FALSE(figures(watch).vmm_process.empty());
}

}  // namespace vigil::daemon
