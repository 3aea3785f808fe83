#include "guest/evidence/core_intake.hpp"
#include "guest/core_dump/message.hpp"
#include "tests/unit/guest/process/scene.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace vigil::guest::evidence {

using core_dump::make_message;
using protocol::CrashReport;
using protocol::CrashTrace;
using std::chrono::milliseconds;

namespace {

class KeptReports final : public ReportSink {
public:
  Seq submit(protocol::ReportBody body) override {
    if (auto* crash = std::get_if<CrashReport>(&body)) crashes.push_back(*crash);
    if (auto* trace = std::get_if<CrashTrace>(&body)) traces.push_back(*trace);
    return ++seq;
  }
  std::vector<CrashReport> crashes;
  std::vector<CrashTrace> traces;
  Seq seq = 0;
};

/// A helper as the kernel would start it, for as long as it lives.
class Storyteller {
public:
  explicit Storyteller(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  bool say(const std::string& message) const { return ::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL) >= 0; }
  void victim(pid_t pid, pid_t parent = ::getpid()) const {
    say(make_message({"victim", std::to_string(pid), std::to_string(parent), "300", std::to_string(pid), "11", "web", "/usr/bin/web", "web",
                      "/", "/vigil/web", "0", "0", "1", "3", "100", "100", "20"}));
  }
  void frames(const char* function) const {
    say(make_message({"thread", "1", "web"}));
    say(make_message({"frame", "10", "/usr/bin/web", "ab", function}));
  }
  void end() {
    say(make_message({"end"}));
    fd_.reset();
  }
  void die() { fd_.reset(); }
  bool is_refused() const {
    char byte;
    return ::recv(fd_.get(), &byte, 1, 0) <= 0;
  }

private:
  UniqueFd fd_;
};

struct IntakeScene {
  TestDirectory directory;
  EventLoop loop;
  KeptReports sink;
  CoreIntake intake;
  std::vector<process::ProcessEnd> elsewhere;

  explicit IntakeScene(milliseconds patience = std::chrono::seconds(20)) : intake(loop, sink, patience) {
    REQUIRE(intake.listen(socket()).has_value());
    intake.on_unreported([this](const process::ProcessEnd& end) {
      elsewhere.push_back(end);
      report(end.pid, "orphan-1");
    });
  }
  std::string socket() const { return directory.path() + "/core.sock"; }
  Seq report(pid_t pid, const std::string& crash) {
    CrashReport report;
    report.crash = crash;
    report.pid = pid;
    report.exit = protocol::ExitSignal{11, false};
    report.cause = protocol::make_cause(protocol::CauseCode::service_signalled, {{"signal", "SIGSEGV"}});
    return intake.submit(std::move(report));
  }
  bool wait_for_traces(std::size_t count) {
    return run_until(loop, [&] { return sink.traces.size() >= count; });
  }
};

}  // namespace

TEST_CASE("core intake: a report is completed at once, its trace follows under the same id", "[guest][evidence]") {
  IntakeScene scene;
  Storyteller helper(scene.socket());
  helper.victim(41);
  scene.report(41, "web-1");       // the loop has not turned: the death is seen before the helper's words
  REQUIRE(scene.sink.crashes.size() == 1);
  REQUIRE(scene.sink.crashes[0].victim.has_value());
  CHECK(scene.sink.crashes[0].victim->executable == "/usr/bin/web");
  CHECK(std::get<protocol::ExitSignal>(scene.sink.crashes[0].exit).core);
  CHECK(scene.sink.crashes[0].started_us == 3'000'000);
  CHECK(scene.sink.traces.empty());
  helper.frames("parse");
  helper.end();
  REQUIRE(scene.wait_for_traces(1));
  CHECK(scene.sink.traces[0].crash == "web-1");
  CHECK(scene.sink.traces[0].frames.at(0).function == "parse");
  CHECK_FALSE(scene.sink.traces[0].truncated);
}

TEST_CASE("core intake: a trace that is there before the death waits for its crash report", "[guest][evidence]") {
  IntakeScene scene;
  Storyteller helper(scene.socket());
  helper.victim(41);
  helper.frames("parse");
  helper.end();
  run_until(scene.loop, [] { return false; }, milliseconds(60));
  CHECK(scene.sink.traces.empty());
  scene.report(41, "web-1");
  REQUIRE(scene.sink.traces.empty());
  REQUIRE(scene.wait_for_traces(1));
  CHECK(scene.sink.crashes.size() == 1);
}

TEST_CASE("core intake: a helper that dies, or takes too long, leaves a trace that says so", "[guest][evidence]") {
  IntakeScene scene(milliseconds(80));
  Storyteller dying(scene.socket()), slow(scene.socket());
  dying.victim(41);
  dying.frames("parse");
  slow.victim(42);
  scene.report(41, "web-1");
  scene.report(42, "web-2");
  dying.die();
  REQUIRE(scene.wait_for_traces(1));
  CHECK(scene.sink.traces[0].cut == "the helper ended before it was done");
  CHECK(scene.sink.traces[0].frames.size() == 1);
  REQUIRE(scene.wait_for_traces(2));
  CHECK(scene.sink.traces[1].crash == "web-2");
  CHECK(scene.sink.traces[1].cut == "the time was up");
  CHECK(scene.sink.traces[1].truncated);
}

TEST_CASE("core intake: a death without a core, and any other report, pass as they are", "[guest][evidence]") {
  IntakeScene scene;
  Storyteller helper(scene.socket());
  helper.victim(41);
  scene.report(77, "db-1");
  REQUIRE(scene.sink.crashes.size() == 1);
  CHECK_FALSE(scene.sink.crashes[0].victim.has_value());
  CHECK_FALSE(std::get<protocol::ExitSignal>(scene.sink.crashes[0].exit).core);
  CHECK(scene.intake.submit(protocol::ServiceReport{}) == 2);
  CrashReport killed;              // the pid's next owner
  killed.pid = 41;
  killed.exit = protocol::ExitSignal{9, false};
  scene.intake.submit(killed);
  CHECK_FALSE(scene.sink.crashes.back().victim.has_value());
}

TEST_CASE("core intake: a victim that somebody else reaps is reported once, also when it comes to us in the end", "[guest][evidence]") {
  IntakeScene scene;
  Storyteller helper(scene.socket());
  helper.victim(51, 50);
  helper.frames("parse");
  helper.end();
  REQUIRE(scene.wait_for_traces(1));
  REQUIRE(scene.elsewhere.size() == 1);
  CHECK(scene.elsewhere[0].pid == 51);
  CHECK(scene.elsewhere[0].cgroup == "/vigil/web");
  CHECK(protocol::to_text(scene.elsewhere[0].status) == "SIGSEGV");
  CHECK(scene.sink.traces[0].crash == "orphan-1");
  scene.report(51, "orphan-2");    // its parent died, too, and left the body to us
  CHECK(scene.sink.crashes.size() == 1);
}

TEST_CASE("core intake: a crash of our own child that nobody reports is told a little later, once", "[guest][evidence]") {
  IntakeScene scene(milliseconds(300));
  Storyteller helper(scene.socket());
  helper.victim(61);
  helper.frames("parse");
  helper.end();
  run_until(scene.loop, [] { return false; }, milliseconds(20));
  CHECK(scene.elsewhere.empty());
  REQUIRE(scene.wait_for_traces(1));
  CHECK(scene.elsewhere.size() == 1);
  CHECK(scene.sink.crashes.at(0).crash == "orphan-1");
}

TEST_CASE("core intake: of too many crashes at once the victims are told, of all too many the number", "[guest][evidence]") {
  IntakeScene scene;
  std::vector<Storyteller> helpers;
  const auto crash_until = [&](std::size_t count) {
    while (helpers.size() < count) {
      helpers.emplace_back(scene.socket());
      helpers.back().victim(static_cast<pid_t>(100 + helpers.size()));
      scene.loop.run_once(milliseconds(20));
    }
  };
  crash_until(CoreIntake::max_crashes);
  REQUIRE(run_until(scene.loop, [&] { return helpers[CoreIntake::max_traces].is_refused(); }));   // it has told enough
  CHECK(scene.intake.refused() == 0);
  crash_until(CoreIntake::max_crashes + 3);
  REQUIRE(run_until(scene.loop, [&] { return scene.intake.refused() == 3; }));
  for (std::size_t i = 0; i < CoreIntake::max_crashes; ++i) scene.report(static_cast<pid_t>(101 + i), "web-" + std::to_string(i));
  for (std::size_t i = 0; i < CoreIntake::max_traces; ++i) helpers[i].end();
  REQUIRE(scene.wait_for_traces(CoreIntake::max_crashes));
  CHECK(std::all_of(scene.sink.crashes.begin(), scene.sink.crashes.end(), [](const CrashReport& crash) { return crash.victim.has_value(); }));
  const auto brief = std::count_if(scene.sink.traces.begin(), scene.sink.traces.end(), [](const CrashTrace& trace) { return trace.cut == "too many crashes at once"; });
  CHECK(static_cast<std::size_t>(brief) == CoreIntake::max_crashes - CoreIntake::max_traces);
}

TEST_CASE("core intake: only its owner may reach the socket, and nonsense harms nobody", "[guest][evidence]") {
  IntakeScene scene;
  struct stat status{};
  REQUIRE(::stat(scene.socket().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  Storyteller odd(scene.socket()), good(scene.socket());
  for (int i = 0; i < 50; ++i) odd.say(std::string(1000, static_cast<char>(i)));
  odd.die();
  good.victim(41);
  scene.report(41, "web-1");
  good.end();
  REQUIRE(scene.wait_for_traces(1));
}

TEST_CASE("core intake: a path that is no place for a socket is an error that names it", "[guest][evidence]") {
  EventLoop loop;
  KeptReports sink;
  CoreIntake intake(loop, sink, milliseconds(10));
  CHECK(intake.listen("/nowhere/core.sock").error().message().find("/nowhere/core.sock: bind: No such file") == 0);
  CrashReport report;
  report.pid = 4;
  report.exit = protocol::ExitSignal{11, true};
  CHECK(intake.submit(report) == 1);
}

}  // namespace vigil::guest::evidence
