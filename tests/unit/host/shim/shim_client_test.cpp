// Clients come, go, do not read, come too late, and command; the VMM and the console never wait for them.
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/shim/shim_fixture.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>

namespace vigil::shim {

using vigil::test::Seen;
using vigil::test::ShimFixture;

namespace {

/// Tells when exit.json is there, by inotify.
class RecordWatch {
public:
  explicit RecordWatch(const ShimFixture& fixture) : inotify_(::inotify_init1(IN_CLOEXEC)) {
    REQUIRE(::inotify_add_watch(inotify_.get(), fixture.log_dir().c_str(), IN_MOVED_TO) >= 0);
  }
  bool wait() const {
    pollfd waited{inotify_.get(), POLLIN, 0};
    return ::poll(&waited, 1, 20'000) == 1;
  }

private:
  UniqueFd inotify_;
};

/// Holds a script until it is opened: a FIFO that the script reads a line from.
struct Gate {
  explicit Gate(const ShimFixture& fixture) : path((fixture.directory.path() / "gate").string()) { REQUIRE(::mkfifo(path.c_str(), 0600) == 0); }
  std::string wait() const { return "read line < " + path + "; "; }
  void open() const { std::ofstream(path) << "go\n"; }
  std::string path;
};

}  // namespace

TEST_CASE("shim client: a daemon that comes back gets the console from its offset on, then goes on live", "[host][shim]") {
  ShimFixture fixture;
  const Gate gate(fixture);
  REQUIRE(fixture.spawn(fixture.spec("echo first; echo second; " + gate.wait() + "echo third; exit 5")));
  Seen first;
  {
    const auto connection = fixture.attach();
    REQUIRE(connection);
    fixture.read(**connection, first, [&first] { return first.console == "first\nsecond\n"; });
  }   // the daemon dies
  const auto connection = fixture.attach(6);
  REQUIRE(connection);
  Seen second;
  fixture.read(**connection, second, [&second] { return second.console == "second\n"; });
  const auto* status = second.find<Status>();
  REQUIRE(status);
  CHECK(status->phase == Phase::running);
  CHECK(status->vmm.pid > 0);
  CHECK(is_alive(status->vmm, host_boot_id()));
  gate.open();
  fixture.read(**connection, second);
  CHECK(second.console == "second\nthird\n");
  REQUIRE(second.find<Ended>());
  CHECK(second.find<Ended>()->record.exit == protocol::ExitStatus(protocol::ExitCode{5}));
}

TEST_CASE("shim client: one that does not read misses bytes, is told how many, and stalls nobody", "[host][shim]") {
  ShimFixture fixture;
  ShimSpec spec = fixture.spec("seq -f %07.0f 0 1048575; kill -9 $$");   // 8 MiB
  spec.console = {64 << 10, 128 << 10};
  const auto born = fixture.spawn(spec);
  REQUIRE(born);
  const auto idle = fixture.attach();
  REQUIRE(idle);
  const auto reader = fixture.attach();
  REQUIRE(reader);
  Seen attentive;
  fixture.read(**reader, attentive);   // to its end, while the other does not read a byte
  REQUIRE(attentive.find<Ended>());
  CHECK(attentive.console.size() + attentive.lost == 8 << 20);

  Seen late;
  fixture.read(**idle, late);
  REQUIRE(late.find<Ended>());
  CHECK(late.lost > 0);
  CHECK(late.console.size() + late.lost == 8 << 20);
  CHECK(late.console.ends_with("1048575\n"));
  CHECK(test::ends(born->pid));
}

TEST_CASE("shim client: one that comes after the VMM's end is still told", "[host][shim]") {
  ShimFixture fixture;
  const RecordWatch watch(fixture);
  REQUIRE(fixture.spawn(fixture.spec("echo short life; exit 1")));
  REQUIRE(watch.wait());   // the end is on disk before anybody is told
  const auto connection = fixture.attach();
  REQUIRE(connection);
  Seen seen;
  fixture.read(**connection, seen);
  CHECK(seen.console == "short life\n");
  CHECK(seen.find<Status>()->phase == Phase::ended);
  CHECK(seen.find<Ended>());
}

TEST_CASE("shim client: kill reaches the VMM", "[host][shim]") {
  ShimFixture fixture;
  const Gate gate(fixture);
  REQUIRE(fixture.spawn(fixture.spec("echo up; " + gate.wait())));
  const auto connection = fixture.attach();
  REQUIRE(connection);
  Seen seen;
  fixture.read(**connection, seen, [&seen] { return seen.console == "up\n"; });
  REQUIRE((*connection)->kill_vmm(SIGKILL));
  fixture.read(**connection, seen);
  REQUIRE(seen.find<Ended>());
  CHECK(seen.find<Ended>()->record.exit == protocol::ExitStatus(protocol::ExitSignal{SIGKILL, false}));
}

TEST_CASE("shim client: SIGTERM to the shim ends the VMM and is written down", "[host][shim]") {
  ShimFixture fixture;
  const Gate gate(fixture);
  const auto born = fixture.spawn(fixture.spec("echo up; " + gate.wait()));
  REQUIRE(born);
  const auto connection = fixture.attach();
  REQUIRE(connection);
  Seen seen;
  fixture.read(**connection, seen, [&seen] { return seen.console == "up\n"; });
  REQUIRE(signal_process(*born, SIGTERM));
  fixture.read(**connection, seen);
  REQUIRE(seen.find<Ended>());
  CHECK(seen.find<Ended>()->record.exit == protocol::ExitStatus(protocol::ExitSignal{SIGTERM, false}));
  CHECK(seen.find<Ended>()->record.log_tail.find("told to end by signal 15") != std::string::npos);
}

TEST_CASE("shim client: a killed shim is told by the stream's end, and leaves no VMM behind", "[host][shim]") {
  ShimFixture fixture;
  const Gate gate(fixture);
  const auto born = fixture.spawn(fixture.spec("echo up; " + gate.wait()));
  REQUIRE(born);
  const auto connection = fixture.attach();
  REQUIRE(connection);
  Seen seen;
  fixture.read(**connection, seen, [&seen] { return seen.console == "up\n"; });
  const ProcessIdentity vmm = seen.find<VmmStarted>() ? seen.find<VmmStarted>()->vmm : seen.find<Status>()->vmm;
  REQUIRE(vmm.pid > 0);
  REQUIRE(signal_process(*born, SIGKILL));
  fixture.read(**connection, seen);
  CHECK(seen.last.error().code() == Errc::unavailable);
  CHECK_FALSE(seen.find<Ended>());
  CHECK(test::ends(vmm.pid));
  CHECK(test::ends(born->pid));
  CHECK_FALSE(is_alive(*born, host_boot_id()));
  CHECK(fixture.record().error().code() == Errc::not_found);
  CHECK(fixture.attach().error().code() == Errc::unavailable);
}

TEST_CASE("shim client: a second shim of a run is refused while the first lives, and welcome afterwards", "[host][shim]") {
  ShimFixture fixture;
  const Gate gate(fixture);
  const auto born = fixture.spawn(fixture.spec(gate.wait()));
  REQUIRE(born);
  CHECK(fixture.spawn(fixture.spec("exit 0")).error().code() == Errc::conflict);
  REQUIRE(signal_process(*born, SIGKILL));
  REQUIRE(test::ends(born->pid));
  CHECK(fixture.run_to_end(fixture.spec("exit 4")).find<Ended>()->record.exit == protocol::ExitStatus(protocol::ExitCode{4}));
}

TEST_CASE("shim client: a shim that is not there is named", "[host][shim]") {
  ShimFixture fixture;
  const auto spec = fixture.spec("exit 0");
  const auto born = test::run<Result<ProcessIdentity>>(fixture.io, [spec] { return spawn_shim("/nonexistent/vigil-shim", spec); });
  REQUIRE_FALSE(born);
  CHECK(born.error() == Error(Errc::not_found, "start /nonexistent/vigil-shim: No such file or directory"));
  ShimSpec wrong = spec;
  wrong.log_dir = "/nonexistent/log";
  const auto refused = fixture.spawn(wrong);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::not_found);
  CHECK(refused.error().message().find("/nonexistent/log/console.log") != std::string::npos);
}

}  // namespace vigil::shim
