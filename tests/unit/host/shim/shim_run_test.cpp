// How a VMM's end is told: by code, by signal, by what stood in the way of its start. The VMM is a real process (/bin/sh).
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/shim/shim_fixture.hpp"

#include <catch2/generators/catch_generators.hpp>

#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>

namespace vigil::shim {

using vigil::test::Seen;
using vigil::test::ShimFixture;

namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("shim: a VMM that exits is told by its code, with console, log and times", "[host][shim]") {
  ShimFixture fixture;
  const UnixUs before = SystemClock().unix_us();
  const Seen seen = fixture.run_to_end(fixture.spec("echo to the console; echo to the log >&2; exit 3"));
  const auto* ended = seen.find<Ended>();
  REQUIRE(ended);
  CHECK(ended->record.exit == protocol::ExitStatus(protocol::ExitCode{3}));
  CHECK(ended->record.start_error.empty());
  CHECK(ended->record.instance == InstanceId("vm-0123456789"));
  CHECK(ended->record.host_boot_id == host_boot_id());
  CHECK(ended->record.vmm.pid > 0);
  CHECK(ended->record.started_unix_us >= before);
  CHECK(ended->record.ended_unix_us >= ended->record.started_unix_us);
  CHECK(ended->record.ended_unix_us <= SystemClock().unix_us());
  CHECK(ended->record.usage.max_rss_kib > 0);
  CHECK(seen.console == "to the console\n");
  CHECK(ended->record.console_bytes == seen.console.size());
  CHECK(ended->record.log_tail.find("to the log\n") != std::string::npos);
  CHECK(text_of(fixture.log_dir() / "console.log") == "to the console\n");
  CHECK(text_of(fixture.log_dir() / "vmm.log").find("to the log\n") != std::string::npos);
  const auto record = fixture.record();
  REQUIRE(record);
  CHECK(*record == ended->record);
}

TEST_CASE("shim: a VMM killed by a signal is told by that signal", "[host][shim]") {
  const int signal = GENERATE(SIGKILL, SIGSEGV, SIGTERM, SIGABRT);
  ShimFixture fixture;
  const Seen seen = fixture.run_to_end(fixture.spec("echo last words; kill -" + std::to_string(signal) + " $$"));
  const auto* ended = seen.find<Ended>();
  REQUIRE(ended);
  const auto* by_signal = std::get_if<protocol::ExitSignal>(&ended->record.exit);
  REQUIRE(by_signal);
  CHECK(by_signal->signal == signal);
  CHECK_FALSE(by_signal->core);            // a core file would hold the guest's memory
  CHECK(seen.console == "last words\n");
}

TEST_CASE("shim: a console flood of 40 MiB keeps the first MiB and the last 16, and counts the rest", "[host][shim]") {
  ShimFixture fixture;
  // 8-byte lines that count, so that every byte kept can be checked.
  constexpr std::uint64_t total = 40 << 20;
  const Seen seen = fixture.run_to_end(fixture.spec("seq -f %07.0f 0 " + std::to_string(total / 8 - 1)));
  const auto* ended = seen.find<Ended>();
  REQUIRE(ended);
  CHECK(ended->record.console_bytes == total);
  CHECK(ended->record.console_gap_bytes == total - (17 << 20));
  CHECK(ended->record.console_lost_bytes == 0);
  CHECK(seen.console.size() + seen.lost == total);   // this client read along: nothing it did not get is uncounted
  const auto path = (fixture.log_dir() / "console.log").string();
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK(static_cast<std::uint64_t>(status.st_size) == total);
  CHECK(status.st_blocks * 512 <= (17 << 20) + (128 << 10));
  const auto kept = read_kept(path, console_caps);
  REQUIRE(kept);
  CHECK(kept->head.size() == 1 << 20);
  CHECK(kept->head.starts_with("0000000\n0000001\n"));
  CHECK(kept->tail.size() == 16 << 20);
  CHECK(kept->tail.starts_with("3145728\n"));
  CHECK(kept->tail.ends_with("5242879\n"));
}

TEST_CASE("shim: a start that fails names what stood in its way", "[host][shim]") {
  ShimFixture fixture;
  ShimSpec spec = fixture.spec("exit 0");
  std::string expected;
  SECTION("no such program") {
    spec.plan.argv = {"/nonexistent/qemu"};
    expected = "/nonexistent/qemu: cannot execute it: No such file or directory";
  }
  SECTION("a file that is not there") {
    spec.plan.files = {{"/nonexistent/disk.raw", vmm::Access::read_write, 4}};
    expected = "open /nonexistent/disk.raw: No such file or directory";
  }
  SECTION("a socket path that is too long") {
    spec.plan.listeners = {{fixture.run_dir().string() + "/" + std::string(100, 'x'), 3}};
    expected = "a socket path may have 107 bytes";
  }
  const Seen seen = fixture.run_to_end(spec);
  const auto* ended = seen.find<Ended>();
  REQUIRE(ended);
  CHECK(ended->record.start_error.find(expected) != std::string::npos);
  CHECK(ended->record.vmm.pid == 0);
  CHECK(std::holds_alternative<protocol::ExitUnknown>(ended->record.exit));
  CHECK(fixture.record()->start_error == ended->record.start_error);
}

TEST_CASE("shim: the VMM has the plan's files and listeners at their descriptors, and nothing else", "[host][shim]") {
  ShimFixture fixture;
  const auto file = fixture.directory.path() / "kernel";
  std::ofstream(file) << "the kernel's bytes\n";
  ShimSpec spec = fixture.spec("cat <&4; test -S /proc/self/fd/3 && echo socket; test -w /proc/self/fd/5 && echo more >&5; ls /proc/self/fd | tr '\\n' ' '");
  const auto disk = fixture.directory.path() / "disk";
  std::ofstream(disk) << "";
  spec.plan.files = {{file.string(), vmm::Access::read_only, 4}, {disk.string(), vmm::Access::read_write, 5}};
  spec.plan.listeners = {{(fixture.run_dir() / "qmp.sock").string(), 3}};
  const Seen seen = fixture.run_to_end(spec);
  CHECK(seen.console == "the kernel's bytes\nsocket\n0 1 2 3 4 5 6 ");   // 6: ls's own
  CHECK(text_of(disk) == "more\n");
}

TEST_CASE("shim: under root the VMM runs as its own user, without a way back", "[host][shim]") {
  if (::geteuid() != 0) SKIP("not root");
  ShimFixture fixture;
  ShimSpec spec = fixture.spec("id -u; id -g; id -G; grep NoNewPrivs /proc/self/status");
  spec.credentials = Credentials{54321, 54322, {54323}};
  const Seen seen = fixture.run_to_end(spec);
  CHECK(seen.console == "54321\n54322\n54322 54323\nNoNewPrivs:\t1\n");
}

TEST_CASE("shim: leaves when its log directory is gone and nobody comes", "[host][shim]") {
  ShimFixture fixture;
  ShimSpec spec = fixture.spec("rm -r " + fixture.log_dir().string());
  const auto born = fixture.spawn(spec);
  REQUIRE(born);
  CHECK(test::ends(born->pid));
}

TEST_CASE("shim: is nobody's child and leaves when a client was told", "[host][shim]") {
  ShimFixture fixture;
  const auto born = fixture.spawn(fixture.spec("exit 0"));
  REQUIRE(born);
  CHECK(::waitpid(-1, nullptr, WNOHANG) < 0);
  CHECK(errno == ECHILD);
  const auto connection = fixture.attach();
  REQUIRE(connection);
  Seen seen;
  fixture.read(**connection, seen);
  CHECK(seen.find<Ended>());
  CHECK(test::ends(born->pid));
  CHECK_FALSE(std::filesystem::exists(fixture.socket()));
}

}  // namespace vigil::shim
