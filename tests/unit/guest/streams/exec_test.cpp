#include "tests/unit/guest/streams/stage.hpp"

#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vigil::guest::streams {
namespace {

using namespace std::chrono_literals;

ExecOpening sh(const std::string& script) {
  ExecOpening open;
  open.argv = {"sh", "-c", script};
  return open;
}

std::string id_of(const std::string& facts) {
  const auto at = facts.find("ex-");
  return facts.substr(at, facts.find('"', at) - at);
}

TEST_CASE("exec: output by channel, environment, directory, exit code", "[guest][streams]") {
  Stage stage;
  auto open = sh("echo out $IN_VM $MINE $(pwd); echo err >&2; exit 7");
  open.env["MINE"] = "mine";
  open.cwd = "/usr";
  const auto stream = stage.open(open);
  stage.accepted(*stream);
  stage.until([&] { return stream->is_over(); });
  CHECK(stream->got[Channel::out] == "out yes mine /usr\n");
  CHECK(stream->got[Channel::err] == "err\n");
  CHECK(stream->ended[Channel::out]);
  CHECK(stream->last<Exit>() == Exit{protocol::ExitCode{7}});
}

TEST_CASE("exec: a signal that ends it is told as one", "[guest][streams]") {
  Stage stage;
  const auto stream = stage.open(sh("kill -KILL $$"));
  stage.until([&] { return stream->is_over(); });
  CHECK(std::get<protocol::ExitSignal>(stream->last<Exit>()->status).signal == SIGKILL);
}

TEST_CASE("exec: what cannot be started is refused with its reason", "[guest][streams]") {
  Stage stage;
  ExecOpening missing, directory, stranger, nowhere;
  missing.argv = {"no-such-program"};
  directory.argv = {"/etc"};
  stranger = sh("true");
  stranger.user = "nobody-of-that-name";
  nowhere = sh("true");
  nowhere.cwd = "/no/such/directory";
  const std::pair<ExecOpening, Errc> cases[] = {{missing, Errc::not_found}, {directory, Errc::denied}, {stranger, Errc::not_found}, {nowhere, Errc::not_found}};
  for (const auto& [opening, code] : cases) {
    const auto stream = stage.open(opening);
    stage.until([&] { return stream->answer.has_value(); });
    REQUIRE(stream->answer->has_error());
    CHECK(stream->answer->error().code() == code);
    CHECK_FALSE(stream->answer->error().message().empty());
  }
}

TEST_CASE("exec: stdin to its end", "[guest][streams]") {
  Stage stage;
  auto open = sh("wc -c");
  open.with_stdin = true;
  const auto stream = stage.open(open);
  stage.accepted(*stream);
  stream->send(Channel::data, std::string(3'000'000, 'x'));
  stream->end(Channel::data);
  stage.until([&] { return stream->is_over(); });
  CHECK(stream->got[Channel::out] == "3000000\n");
}

TEST_CASE("exec: without stdin it reads from nothing", "[guest][streams]") {
  Stage stage;
  const auto stream = stage.open(sh("cat; echo done"));
  stage.until([&] { return stream->is_over(); });
  CHECK(stream->got[Channel::out] == "done\n");
}

TEST_CASE("exec: a terminal with its size, resized, with a signal from its keyboard", "[guest][streams]") {
  Stage stage;
  auto open = sh("trap 'stty size; exit 3' WINCH; stty size; test -t 0 && echo terminal; while :; do sleep 0.05; done");
  open.terminal = TerminalSize{11, 33};
  const auto stream = stage.open(open);
  stage.accepted(*stream);
  stage.until([&] { return stream->got[Channel::out].find("terminal") != std::string::npos; });
  CHECK(stream->got[Channel::out].starts_with("11 33\r\n"));
  stream->tell(Resize{{12, 34}});
  stage.until([&] { return stream->is_over(); });
  CHECK(stream->got[Channel::out].find("12 34") != std::string::npos);
  CHECK(stream->last<Exit>() == Exit{protocol::ExitCode{3}});

  auto reading = sh("echo ready; exec cat");   // a child of the shell could get the signal before it is cat
  reading.terminal = TerminalSize{};
  const auto interrupted = stage.open(reading);
  stage.until([&] { return interrupted->got[Channel::out].find("ready") != std::string::npos; });
  interrupted->send(Channel::data, "\x03");
  stage.until([&] { return interrupted->is_over(); });
  CHECK(std::get<protocol::ExitSignal>(interrupted->last<Exit>()->status).signal == SIGINT);
}

TEST_CASE("exec: a signal of the host reaches the whole group", "[guest][streams]") {
  Stage stage;
  const auto stream = stage.open(sh("sleep 1000 & echo ready; wait"));
  stage.until([&] { return stream->got[Channel::out] == "ready\n"; });
  stream->tell(Signal{SIGTERM});
  stage.until([&] { return stream->is_over(); });
  CHECK(std::get<protocol::ExitSignal>(stream->last<Exit>()->status).signal == SIGTERM);
}

TEST_CASE("exec: the end of the program ends the stream, though its children go on", "[guest][streams]") {
  Stage stage;
  const auto stream = stage.open(sh("(sleep 2; echo late) & echo early"));
  stage.until([&] { return stream->is_over(); });
  CHECK(stream->got[Channel::out] == "early\n");
}

/// What a program waits for, until the test has seen what must come before.
class Gate {
 public:
  Gate() {
    REQUIRE(mkdtemp(directory_.data()) != nullptr);
    REQUIRE(mkfifo(path().c_str(), 0600) == 0);
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() { std::filesystem::remove_all(directory_); }

  std::string path() const { return directory_ + "/gate"; }
  void open() const { std::ofstream(path()) << "on\n"; }

 private:
  std::string directory_ = "/tmp/vigil-gate.XXXXXX";
};

TEST_CASE("exec: after a cut stream another one gets the output that came meanwhile, and the true status", "[guest][streams]") {
  Stage stage;
  const Gate gate;
  auto open = sh("echo first; read line; read go < " + gate.path() + "; echo second $line; exit 9");
  open.with_stdin = true;
  auto stream = stage.open(open);
  const auto id = id_of(stage.accepted(*stream));
  stage.until([&] { return stream->got[Channel::out] == "first\n"; });
  stream->send(Channel::data, "go\n");
  stream->close();
  const auto session = stage.sessions.find(id);
  REQUIRE(session.has_value());
  stage.until([&] { return !(*session)->is_attached(); });   // else what the program says goes into the closed stream, and counts as sent
  gate.open();
  stage.until([&] { return (*session)->exit().has_value(); });
  const auto again = stage.open(AttachOpening{id});
  CHECK(stage.accepted(*again).find("\"1\":6") != std::string::npos);   // so many bytes were sent before
  stage.until([&] { return again->is_over(); });
  CHECK(again->got[Channel::out] == "second go\n");
  CHECK(again->last<Exit>() == Exit{protocol::ExitCode{9}});
}

TEST_CASE("exec: what nobody reads is kept bounded and its loss counted", "[guest][streams]") {
  Stage stage;
  const Gate gate;
  const auto open = sh("echo ready; read go < " + gate.path() + "; head -c 300000 /dev/zero; exit 0");
  auto stream = stage.open(open);
  const auto id = id_of(stage.accepted(*stream));
  stage.until([&] { return stream->got[Channel::out] == "ready\n"; });
  stream->close();
  const auto session = stage.sessions.find(id);
  // As above: what goes into the closed stream counts as sent.
  stage.until([&] { return !(*session)->is_attached(); });
  gate.open();
  stage.until([&] { return (*session)->exit().has_value(); });
  const auto again = stage.open(AttachOpening{id});
  stage.until([&] { return again->is_over(); });
  const auto lost = again->last<Lost>();
  CHECK(again->got[Channel::out].size() + (lost ? lost->bytes : 0) == 300000);
  CHECK(again->got[Channel::out].size() <= 192 * 1024);
}

TEST_CASE("exec: a second client takes over, the first is told", "[guest][streams]") {
  Stage stage;
  const auto first = stage.open(sh("sleep 1000"));
  const auto id = id_of(stage.accepted(*first));
  const auto second = stage.open(AttachOpening{id});
  stage.accepted(*second);
  stage.until([&] { return first->is_over(); });
  CHECK(first->last<Problem>()->code == Errc::conflict);
  second->tell(Signal{SIGKILL});
  stage.until([&] { return second->is_over(); });
}

TEST_CASE("exec: unattended for its time it is hung up, detach it is not", "[guest][streams]") {
  Stage stage({.keep_ended = 10min, .keep_unattended = 50ms, .hang_up_grace = 50ms});
  auto left = stage.open(sh("sleep 1000"));
  auto id = id_of(stage.accepted(*left));
  left->close();
  const auto session = *stage.sessions.find(id);
  stage.until([&] { return session->exit().has_value(); });
  CHECK(std::get<protocol::ExitSignal>(*session->exit()).signal == SIGHUP);

  auto stubborn = stage.open(sh("trap '' HUP; echo ready; while :; do sleep 0.02; done"));
  id = id_of(stage.accepted(*stubborn));
  stage.until([&] { return stubborn->got[Channel::out] == "ready\n"; });
  stubborn->close();
  const auto killed = *stage.sessions.find(id);
  stage.until([&] { return killed->exit().has_value(); });
  CHECK(std::get<protocol::ExitSignal>(*killed->exit()).signal == SIGKILL);

  auto detach = sh("sleep 0.3; exit 4");
  detach.detach = true;
  const auto told = stage.open(detach);
  id = id_of(stage.accepted(*told));
  stage.until([&] { return told->is_over(); });
  const auto alone = *stage.sessions.find(id);
  stage.until([&] { return alone->exit().has_value(); });
  CHECK(alone->exit() == protocol::ExitStatus(protocol::ExitCode{4}));
}

TEST_CASE("exec: an ended one is forgotten after its time", "[guest][streams]") {
  Stage stage({.keep_ended = 50ms});
  const auto stream = stage.open(sh("true"));
  const auto id = id_of(stage.accepted(*stream));
  stage.until([&] { return stream->is_over(); });
  stream->close();
  stage.until([&] { return stage.sessions.find(id).has_error(); });
  const auto late = stage.open(AttachOpening{id});
  stage.until([&] { return late->answer.has_value(); });
  CHECK(late->answer->error().code() == Errc::not_found);
}

}  // namespace
}  // namespace vigil::guest::streams
