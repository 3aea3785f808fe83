// Clients come, go, do not read, come too late, and command; the VMM and the console never wait for them.
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/shim/shim_fixture.hpp"

#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <deque>
#include <fstream>
#include <map>
#include <vector>

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

TEST_CASE("shim client: who dials a door is handed over, each with its port and in order; while no daemon is there he waits for the next", "[host][shim]") {
  ShimFixture fixture;
  const Gate gate(fixture);
  auto spec = fixture.spec("echo up; " + gate.wait());
  const auto link = (fixture.run_dir() / "vsock_5252").string(), egress = (fixture.run_dir() / "vsock_5254").string();
  spec.doors = {{link, 5252}, {egress, 5254}};
  REQUIRE(fixture.spawn(spec));
  {
    const auto connection = fixture.attach();
    REQUIRE(connection);
    Seen seen;
    fixture.read(**connection, seen, [&seen] { return seen.console == "up\n"; });
    REQUIRE(seen.find<Status>());
    CHECK(seen.find<Status>()->has_doors);
    struct stat status {};
    REQUIRE(::stat(link.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    test::UnixClient first(link), second(egress);
    REQUIRE(first.send("the first"));
    REQUIRE(second.send("the second"));
    std::map<std::uint32_t, UniqueFd> passed;
    for (int n = 0; n < 2; ++n) {
      Seen dialled;
      fixture.read(**connection, dialled, [&dialled] { return dialled.find<Dialled>() != nullptr; });
      passed[dialled.find<Dialled>()->port] = (*connection)->take_passed();
    }
    REQUIRE(passed[5252]);
    REQUIRE(passed[5254]);
    CHECK_FALSE((*connection)->take_passed());
    char text[32] = {};
    CHECK(std::string(text, static_cast<std::size_t>(std::max<ssize_t>(0, ::recv(passed[5252].get(), text, sizeof text, 0)))) == "the first");
    CHECK(std::string(text, static_cast<std::size_t>(std::max<ssize_t>(0, ::recv(passed[5254].get(), text, sizeof text, 0)))) == "the second");
    CHECK(::send(passed[5252].get(), "heard", 5, MSG_NOSIGNAL) == 5);
    CHECK(test::pump_until(fixture.io, [&] { return first.received() == "heard"; }));
  }   // the daemon dies
  test::UnixClient waits(link);
  REQUIRE(waits.send("still here"));
  { const test::UnixClient gave_up(link); }
  const auto next = fixture.attach();
  REQUIRE(next);
  Seen dialled;
  fixture.read(**next, dialled, [&dialled] { return dialled.find<Dialled>() != nullptr; });
  const auto passed = (*next)->take_passed();
  REQUIRE(passed);
  char text[32] = {};
  CHECK(std::string(text, static_cast<std::size_t>(std::max<ssize_t>(0, ::recv(passed.get(), text, sizeof text, 0)))) == "still here");
  gate.open();
}

TEST_CASE("shim client: however many dial while no daemon is there, none is hung up, and the other door's are not pushed out", "[host][shim]") {
  constexpr int crowd = 60;
  ShimFixture fixture;
  const Gate gate(fixture);
  auto spec = fixture.spec("echo up; " + gate.wait());
  const auto link = (fixture.run_dir() / "vsock_5252").string(), egress = (fixture.run_dir() / "vsock_5254").string();
  spec.doors = {{link, 5252}, {egress, 5254}};
  REQUIRE(fixture.spawn(spec));
  {
    const auto connection = fixture.attach();
    REQUIRE(connection);
    Seen seen;
    fixture.read(**connection, seen, [&seen] { return seen.console == "up\n"; });
  }
  test::UnixClient agent(link);
  std::deque<test::UnixClient> others;
  for (int n = 0; n < crowd; ++n) others.emplace_back(egress);
  const auto next = fixture.attach();
  REQUIRE(next);
  std::vector<UniqueFd> passed;
  int links = 0;
  while (passed.size() < crowd + 1) {
    Seen dialled;
    fixture.read(**next, dialled, [&dialled] { return dialled.find<Dialled>() != nullptr; });
    if (!dialled.find<Dialled>()) break;
    links += dialled.find<Dialled>()->port == 5252 ? 1 : 0;
    while (auto each = (*next)->take_passed()) passed.push_back(std::move(each));
  }
  CHECK(passed.size() == crowd + 1);
  CHECK(links == 1);
  CHECK(std::ranges::none_of(others, [](test::UnixClient& each) { return each.closed(); }));
  CHECK_FALSE(agent.closed());
  gate.open();
}

TEST_CASE("shim client: who dials a shim that stands still is not lost by the change of daemons", "[host][shim]") {
  ShimFixture fixture;
  const Gate gate(fixture);
  auto spec = fixture.spec("echo up; " + gate.wait());
  const auto link = (fixture.run_dir() / "vsock_5252").string();
  spec.doors = {{link, 5252}};
  const auto born = fixture.spawn(spec);
  REQUIRE(born);
  {
    const auto before = fixture.attach();
    REQUIRE(before);
    Seen seen;
    fixture.read(**before, seen, [&seen] { return seen.console == "up\n"; });
    REQUIRE(::kill(static_cast<pid_t>(born->pid), SIGSTOP) == 0);
  }   // the daemon dies, and the shim does not know it yet
  test::UnixClient dials(link);
  REQUIRE(dials.send("hello"));
  const auto after = fixture.attach();
  REQUIRE(after);
  REQUIRE(::kill(static_cast<pid_t>(born->pid), SIGCONT) == 0);
  Seen seen;
  fixture.read(**after, seen, [&seen] { return seen.find<Dialled>() != nullptr; });
  const auto passed = (*after)->take_passed();
  REQUIRE(passed);
  char text[16] = {};
  CHECK(::recv(passed.get(), text, sizeof text, 0) == 5);
  gate.open();
}

TEST_CASE("shim client: a door whose name another daemon took away is opened anew for who attaches next", "[host][shim]") {
  ShimFixture fixture;
  const Gate gate(fixture);
  auto spec = fixture.spec("echo up; " + gate.wait());
  const auto link = (fixture.run_dir() / "vsock_5252").string();
  spec.doors = {{link, 5252}};
  REQUIRE(fixture.spawn(spec));
  {
    const auto before = fixture.attach();
    REQUIRE(before);
    Seen seen;
    fixture.read(**before, seen, [&seen] { return seen.console == "up\n"; });
  }
  REQUIRE(std::filesystem::remove(link));
  const auto connection = fixture.attach();
  REQUIRE(connection);
  Seen seen;
  fixture.read(**connection, seen, [&seen] { return seen.console == "up\n"; });
  const test::UnixClient dials(link);
  REQUIRE(dials.connected());
  fixture.read(**connection, seen, [&seen] { return seen.find<Dialled>() != nullptr; });
  CHECK((*connection)->take_passed());
  gate.open();
}

TEST_CASE("shim client: a guest that dials without end costs the daemon neither its place nor the console", "[host][shim]") {
  ShimFixture fixture;
  const Gate gate(fixture);
  auto spec = fixture.spec("echo up; " + gate.wait() + "echo done");
  const auto link = (fixture.run_dir() / "vsock_5252").string();
  spec.doors = {{link, 5252}};
  REQUIRE(fixture.spawn(spec));
  const auto connection = fixture.attach();
  REQUIRE(connection);
  Seen seen;
  fixture.read(**connection, seen, [&seen] { return seen.console == "up\n"; });
  for (int n = 0; n < 2000; ++n) test::UnixClient dials(link);   // nothing is read meanwhile
  test::UnixClient stays(link);
  REQUIRE(stays.send("I stay"));
  std::size_t handed_over = 0;
  std::string said;
  while (said.empty()) {                                         // of those who have left some may be handed over, or none
    Seen more;
    fixture.read(**connection, more, [&more] { return !more.events.empty(); });
    REQUIRE(more.find<Dialled>() != nullptr);
    const auto passed = (*connection)->take_passed();
    REQUIRE(passed);
    ++handed_over;
    char text[16] = {};
    if (const auto got = ::recv(passed.get(), text, sizeof text, MSG_DONTWAIT); got > 0) said.assign(text, static_cast<std::size_t>(got));
  }
  CHECK(said == "I stay");
  CHECK(handed_over <= 2001);
  gate.open();
  fixture.read(**connection, seen);
  CHECK(seen.console == "up\ndone\n");
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
