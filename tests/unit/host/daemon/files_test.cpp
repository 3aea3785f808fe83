#include "host/daemon/disk_image.hpp"
#include "host/daemon/evidence.hpp"
#include "host/daemon/kept_secrets.hpp"
#include "host/daemon/places.hpp"
#include "host/daemon/run_notes.hpp"
#include "host/shim/shim_note.hpp"
#include "host/daemon/state_lock.hpp"
#include "host/reconcile/look.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace fs = std::filesystem;
namespace vigil::daemon {

namespace {

std::string text_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::uint64_t stored_bytes(const fs::path& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0;
}

Places places_in(const fs::path& directory) {
    Places places;
    places.state = directory / "s";
    places.run = directory / "r";
    places.socket = (directory / "api").string();
    return places;
}

}  // namespace

TEST_CASE("state lock: a second daemon is refused and told who holds it", "[host][daemon]") {
    test::TemporaryDirectory directory;
    const auto path = directory.path() / "vigild.lock";
    auto held = lock_state(path);
    REQUIRE(held.has_value());
    const auto second = lock_state(path);
    REQUIRE(second.has_error());
    CHECK(second.error().code() == Errc::conflict);
    CHECK(second.error().message().find(std::to_string(::getpid())) != std::string::npos);
    CHECK(second.error().message().find(directory.path().string()) != std::string::npos);
    held->reset();
    CHECK(lock_state(path).has_value());
}

TEST_CASE("state lock: a daemon that was killed leaves no lock behind", "[host][daemon]") {
    test::TemporaryDirectory directory;
    const auto path = directory.path() / "vigild.lock";
    const pid_t child = ::fork();
    if (child == 0) {
        const auto held = lock_state(path);
        ::raise(SIGKILL);
        ::_exit(held ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    CHECK(lock_state(path).has_value());
}

TEST_CASE("disk: a copy keeps its holes, is grown, and is made once", "[host][daemon]") {
    test::TemporaryDirectory directory;
    const auto from = directory.path() / "overlay.ext4", to = directory.path() / "disk.raw";
    {
        std::ofstream file(from, std::ios::binary);
        file << "BEGIN";
        file.seekp(32 << 20);
        file << "MIDDLE";
        file.seekp((64 << 20) - 1);
        file.put('\0');
    }
    constexpr std::uint64_t size = 128ULL << 20;
    REQUIRE(make_disk(from, to, size).has_value());
    CHECK(fs::file_size(to) == size);
    CHECK(stored_bytes(to) < (1 << 20));
    std::ifstream copy(to, std::ios::binary);
    std::string middle(6, '\0');
    copy.seekg(32 << 20);
    copy.read(middle.data(), 6);
    CHECK(middle == "MIDDLE");
    std::ofstream(to, std::ios::binary | std::ios::in) << "WRITTEN BY THE GUEST";
    REQUIRE(make_disk(from, to, size).has_value());
    CHECK(text_of(to).starts_with("WRITTEN BY THE GUEST"));
}

TEST_CASE("disk: what cannot be made is not there at all, and the error names it", "[host][daemon]") {
    test::TemporaryDirectory directory;
    const auto missing = make_disk(directory.path() / "none", directory.path() / "disk.raw", 1);
    CHECK(missing.error().code() == Errc::not_found);
    std::ofstream(directory.path() / "overlay") << std::string(4096, 'x');
    const auto nowhere = make_disk(directory.path() / "overlay", directory.path() / "no/such/disk.raw", 1);
    REQUIRE(nowhere.has_error());
    CHECK_FALSE(fs::exists(directory.path() / "no"));
    // /dev/full answers every write with ENOSPC
    fs::create_symlink("/dev/full", directory.path() / "disk.raw.new");
    const auto full = make_disk(directory.path() / "overlay", directory.path() / "disk.raw", 1);
    REQUIRE(full.has_error());
    CHECK(full.error().message().find("host.disk_full") != std::string::npos);
    CHECK_FALSE(fs::exists(directory.path() / "disk.raw"));
}

TEST_CASE("evidence: removal puts logs away before it deletes the rest", "[host][daemon]") {
    test::TemporaryDirectory directory;
    const auto places = places_in(directory.path());
    REQUIRE(prepare_places(places).has_value());
    const InstanceId id("vm-0123456789");
    machine::InstanceSpec spec;
    spec.name = InstanceName("demo");
    spec.image_name = "minimal";
    spec.secrets = {{"TOKEN", "canary-value"}};
    REQUIRE(make_instance_dir(places, id, spec).has_value());
    CHECK(text_of(places.instance(id) / "spec.json").find("canary-value") == std::string::npos);
    CHECK(fs::exists(places.instance(id) / reconcile::creation_mark));
    end_creation(places, id);
    CHECK_FALSE(fs::exists(places.instance(id) / reconcile::creation_mark));
    fs::create_directories(places.log_dir(id, RunNumber(1)));
    std::ofstream(places.log_dir(id, RunNumber(1)) / "console.log") << "Linux version 6\nKernel panic\n";
    std::ofstream(places.disk(id)) << "disk";
    fs::create_directories(places.run_dir(id));

    CHECK(read_console_tail(find_log_dir(places, id, RunNumber(1))) == std::vector<std::string>{"Linux version 6", "Kernel panic"});
    REQUIRE(archive_and_delete(places, id).has_value());
    CHECK_FALSE(fs::exists(places.instance(id)));
    CHECK_FALSE(fs::exists(places.run_dir(id)));
    CHECK(fs::exists(places.blackbox(id) / "spec.json"));
    CHECK(*read_console(find_log_dir(places, id, RunNumber(1))) == "Linux version 6\nKernel panic\n");
}

TEST_CASE("places: socket paths that cannot be are refused before anything runs", "[host][daemon]") {
    test::TemporaryDirectory directory;
    auto places = places_in(directory.path());
    places.run = directory.path() / std::string(90, 'r');
    const auto refused = prepare_places(places);
    REQUIRE(refused.has_error());
    CHECK(refused.error().message().find("--run") != std::string::npos);
    CHECK_FALSE(fs::exists(places.run));
}

TEST_CASE("kept secrets: the next daemon reads them, the disk does not show them, and nobody else's key or place opens them", "[host][daemon]") {
    test::TemporaryDirectory directory;
    const auto places = places_in(directory.path());
    REQUIRE(prepare_places(places).has_value());
    const InstanceId id("vm-0123456789"), other("vm-0123456788");
    const Secrets secrets = {{"key", "CANARY-12345"}, {"empty", ""}};
    fs::create_directories(places.instance(id));
    fs::create_directories(places.instance(other));
    CHECK(read_kept_secrets(places, id)->empty());
    REQUIRE(keep_secrets(places, id, secrets).has_value());
    CHECK(*read_kept_secrets(places, id) == secrets);
    const auto file = places.instance(id) / "secrets.sealed";
    const auto sealed = text_of(file);
    CHECK(sealed.find("CANARY") == std::string::npos);
    CHECK((fs::status(file).permissions() & fs::perms::all) == (fs::perms::owner_read | fs::perms::owner_write));
    CHECK((fs::status(places.state / "master.key").permissions() & fs::perms::all) == (fs::perms::owner_read | fs::perms::owner_write));
    fs::copy_file(file, places.instance(other) / "secrets.sealed");
    CHECK(read_kept_secrets(places, other).has_error());
    for (std::size_t at = 0; at < sealed.size(); at += 7) {
        auto damaged = sealed;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        std::ofstream(file, std::ios::binary) << damaged;
        CHECK(read_kept_secrets(places, id).has_error());
    }
    std::ofstream(file, std::ios::binary) << sealed.substr(0, 20);
    CHECK(read_kept_secrets(places, id).has_error());
    std::ofstream(file, std::ios::binary) << sealed;
    CHECK(read_kept_secrets(places, id).has_value());
    std::ofstream(places.state / "master.key", std::ios::binary) << std::string(32, 'x');
    CHECK(read_kept_secrets(places, id).has_error());
    std::ofstream(places.state / "master.key", std::ios::binary) << "short";
    CHECK(read_kept_secrets(places, id).error().message().find("master.key") != std::string::npos);
}

TEST_CASE("run notes: what the next daemon must know survives", "[host][daemon]") {
    test::TemporaryDirectory directory;
    CHECK(shim::read_shim_note(directory.path()).error().code() == Errc::not_found);
    REQUIRE(shim::write_shim_note(directory.path(), {RunNumber(3), {42, 7777}, "boot"}).has_value());
    const auto note = shim::read_shim_note(directory.path());
    REQUIRE(note.has_value());
    CHECK(note->run == RunNumber(3));
    CHECK(note->shim == shim::ProcessIdentity{42, 7777});

    CHECK(ConsoleMark::read(directory.path()) == 0);
    ConsoleMark mark(directory.path());
    mark.write(123'456'789);
    mark.write(5);
    CHECK(ConsoleMark::read(directory.path()) == 5);

    // Whoever may write in a run's directory leads nobody elsewhere.
    const auto elsewhere = directory.path() / "elsewhere";
    std::ofstream(elsewhere) << "kept";
    std::filesystem::remove(directory.path() / "console.offset");
    std::filesystem::create_symlink(elsewhere, directory.path() / "console.offset");
    mark.write(7);
    std::string text;
    std::ifstream(elsewhere) >> text;
    CHECK(text == "kept");
}

}  // namespace vigil::daemon
