// A made-up /proc and real directories: who is taken for one of ours.
#include "host/reconcile/look.hpp"
#include "host/shim/shim_note.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace fs = std::filesystem;
namespace vigil::reconcile {

namespace {

struct Place {
    test::TemporaryDirectory directory;
    Grounds grounds{directory.path() / "s", directory.path() / "r", directory.path() / "s" / "strays", directory.path() / "proc"};
    const InstanceId id{"vm-0123456789"};

    Place() {
        fs::create_directories(grounds.state / "instances" / id.value());
        fs::create_directories(grounds.run);
        fs::create_directories(grounds.proc);
    }
    void process(int pid, const std::string& comm, const std::string& command_line, const fs::path& open_file, char state = 'S') const {
        const auto path = grounds.proc / std::to_string(pid);
        fs::create_directories(path / "fd");
        std::ofstream(path / "comm") << comm << '\n';
        std::ofstream(path / "cmdline") << command_line;
        std::string stat = std::to_string(pid) + " (a) name (x) " + state + " 7";
        for (int field = 5; field < 22; ++field) stat += " 0";
        std::ofstream(path / "stat") << stat << " 4711 0\n";
        if (!open_file.empty()) fs::create_symlink(open_file, path / "fd" / "5");
    }
    fs::path disk() const { return fs::canonical(grounds.state) / "instances" / id.value() / "disk.raw"; }
    std::string socket() const { return fs::canonical(grounds.run).string() + "/" + id.value() + "/vhost.sock"; }
};

}  // namespace

TEST_CASE("look: a process is ours by its open files, or by its run directory, and by its program", "[host][reconcile]") {
    const Place place;
    using namespace std::string_literals;
    place.process(10, "vigil-shim", "vigil-shim\0"s, place.disk());
    place.process(11, "qemu-system-x86", "", place.disk().string() + " (deleted)");
    place.process(12, "vhost-device-vs", "vhost-device-vsock\0--socket\0"s + place.socket(), "");
    place.process(20, "tail", "", place.disk());                                              // somebody reads a log
    place.process(21, "vim", "vim\0"s + place.socket(), "");
    place.process(22, "qemu-system-x86", "qemu\0-name\0vm-0123456789"s, "/srv/other/instances/vm-0123456789/disk.raw");   // another daemon's
    place.process(23, "vigil-shim", "", place.disk(), 'Z');                                   // over
    place.process(24, "vigil-shim", "", fs::canonical(place.grounds.state).string() + "/instances-of-mine/vm-0123456789/disk.raw");
    auto seen = look(place.grounds);
    std::ranges::sort(seen.processes, {}, [](const ProcessSeen& each) { return each.process.pid; });
    REQUIRE(seen.processes.size() == 3);
    CHECK(seen.processes[0].program == Program::shim);
    CHECK(seen.processes[0].claim == Claim::state);
    CHECK(seen.processes[0].instance == place.id);
    CHECK(seen.processes[0].parent == 7);
    CHECK(seen.processes[0].process.start_ticks == 4711);
    CHECK(seen.processes[1].program == Program::vmm);
    CHECK(seen.processes[2].program == Program::device);
    CHECK(seen.processes[2].claim == Claim::run);
}

TEST_CASE("look: directories by their names, marks and notes; links and other names are not looked at", "[host][reconcile]") {
    const Place place;
    const auto run = place.grounds.run / place.id.value();
    fs::create_directories(run);
    fs::create_directories(place.grounds.run / "opened");
    fs::create_directories(place.grounds.state / "instances" / "notes");
    fs::create_directory_symlink("/", place.grounds.run / "vm-0000000001");
    std::ofstream(run / owner_mark) << "/srv/other\n";
    std::ofstream(place.grounds.state / "instances" / place.id.value() / "disk.raw.new") << "half";
    const auto self = shim::identify(::getpid());
    REQUIRE(self.has_value());
    REQUIRE(shim::write_shim_note(run, {RunNumber(1), *self, shim::host_boot_id()}).has_value());
    auto seen = look(place.grounds);
    REQUIRE(seen.run_dirs.size() == 1);
    CHECK(seen.run_dirs[0].owner == "/srv/other");
    CHECK(seen.run_dirs[0].shim == *self);
    CHECK(seen.run_dirs[0].shim_lives);
    REQUIRE(seen.instance_dirs.size() == 1);
    CHECK(seen.instance_dirs[0].has_draft);
    CHECK_FALSE(seen.instance_dirs[0].is_creating);
    std::ofstream(place.grounds.state / "instances" / place.id.value() / creation_mark) << "";
    CHECK(look(place.grounds).instance_dirs.at(0).is_creating);
    CHECK(seen.state_dir == fs::canonical(place.grounds.state).string());
    REQUIRE(shim::write_shim_note(run, {RunNumber(1), *self, "of an earlier boot of the host"}).has_value());
    CHECK_FALSE(look(place.grounds).run_dirs.at(0).shim_lives);
}

}  // namespace vigil::reconcile
