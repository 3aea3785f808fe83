#include "guest/evidence/exit_classifier.hpp"

#include <catch2/catch_test_macros.hpp>

#include <csignal>
#include <functional>
#include <set>
#include <string>

namespace vigil::guest::evidence {
namespace {

using protocol::ExitCode;
using protocol::ExitSignal;

/// "service.exited{code=3}": code and subject in one string to compare.
std::string verdict(const ExitFacts& facts) {
  const protocol::Cause cause = classify_exit(facts);
  std::string text = cause.text + "{";
  for (const auto& [name, value] : cause.fields) text += (text.back() == '{' ? "" : ",") + name + "=" + *protocol::field_text(cause, name);
  return text + "}";
}

ExitFacts facts_of(protocol::ExitStatus status, std::string stderr_tail = {}, LifeStage stage = LifeStage::running) {
  ExitFacts facts;
  facts.status = std::move(status);
  facts.stage = stage;
  facts.stderr_tail = std::move(stderr_tail);
  return facts;
}

TEST_CASE("exit classifier: the bare status when nothing else is known", "[guest][evidence]") {
  CHECK(verdict(facts_of(ExitCode{3})) == "service.exited{code=3}");
  CHECK(verdict(facts_of(ExitCode{0})) == "service.exited{code=0}");
  CHECK(verdict(facts_of(ExitSignal{SIGSEGV, true})) == "service.signalled{signal=SIGSEGV}");
  CHECK(verdict(facts_of(ExitSignal{SIGKILL, false})) == "service.signalled{signal=SIGKILL}");
  CHECK(verdict(facts_of(protocol::ExitUnknown{"lost"})).starts_with("unknown{seen="));
}

TEST_CASE("exit classifier: code 0 before it was ready is early, with somebody left behind it went into the background", "[guest][evidence]") {
  ExitFacts facts = facts_of(ExitCode{0}, {}, LifeStage::before_ready);
  CHECK(verdict(facts) == "service.exited_early{}");
  facts.left_behind = 77;
  CHECK(verdict(facts) == "service.daemonised{pid=77}");
  facts.status = ExitCode{1};
  CHECK(verdict(facts) == "service.exited{code=1}");
}

TEST_CASE("exit classifier: what the program said of its end is believed before its code", "[guest][evidence]") {
  CHECK(verdict(facts_of(ExitCode{127}, "/bin/x: error while loading shared libraries: libz.so.1: cannot open shared object file: No such file or directory\n")) ==
        "service.missing_library{library=libz.so.1}");
  CHECK(verdict(facts_of(ExitCode{1}, "Traceback (most recent call last):\nModuleNotFoundError: No module named 'flask'\n")) ==
        "service.missing_module{module=flask}");
  CHECK(verdict(facts_of(ExitCode{1}, "accept: Too many open files\n")) == "service.fd_exhausted{}");
  CHECK(verdict(facts_of(ExitCode{127}, "/run.sh: 3: nginx: not found\n")) == "service.missing_binary{path=nginx}");
}

TEST_CASE("exit classifier: an old complaint does not explain a success, a signal or another code", "[guest][evidence]") {
  CHECK(verdict(facts_of(ExitCode{0}, "ModuleNotFoundError: No module named 'flask'\n")) == "service.exited{code=0}");
  CHECK(verdict(facts_of(ExitSignal{SIGSEGV, false}, "ModuleNotFoundError: No module named 'flask'\n")) == "service.signalled{signal=SIGSEGV}");
  CHECK(verdict(facts_of(ExitCode{5}, "/run.sh: 3: optional-tool: not found\n")) == "service.exited{code=5}");
}

TEST_CASE("exit classifier: an abort after a named error is that error", "[guest][evidence]") {
  ExitFacts facts = facts_of(ExitSignal{SIGABRT, true}, "terminate called: bind: Address already in use\n");
  CHECK(verdict(facts) == "service.signalled{signal=SIGABRT}");   // it does not say which port, and nobody knows
  facts.taken_port = TakenPort{8080, "web (pid 31)"};
  CHECK(verdict(facts) == "service.port_taken{holder=web (pid 31),port=8080}");
}

TEST_CASE("exit classifier: a shell's code 126 says that what it names may not be executed, another code does not", "[guest][evidence]") {
  CHECK(verdict(facts_of(ExitCode{126}, "sh: 1: exec: /opt/run.sh: Permission denied\n")) == "service.not_executable{path=/opt/run.sh}");
  CHECK(verdict(facts_of(ExitCode{1}, "open /etc/key: Permission denied\n")) == "service.exited{code=1}");
  CHECK(verdict(facts_of(ExitCode{126}, "no word about it\n")) == "service.exited{code=126}");
}

TEST_CASE("exit classifier: a lock that nobody holds is stale, one that is only complained of is not", "[guest][evidence]") {
  ExitFacts facts = facts_of(
      ExitCode{1},
      "(EE) Server is already active for display 1\n\tIf this server is no longer running, remove /tmp/.X1-lock\n\tand start again.\n");
  CHECK(verdict(facts) == "service.exited{code=1}");
  facts.stale_lock = "/tmp/.X1-lock";
  CHECK(verdict(facts) == "service.lock_stale{path=/tmp/.X1-lock}");
  ExitFacts socket = facts_of(ExitCode{1}, "socat[9] E bind(5, {AF=1 \"/run/x\"}, 8): Address already in use\n");
  socket.stale_lock = "/run/x";
  CHECK(verdict(socket) == "service.lock_stale{path=/run/x}");
  socket.stderr_tail = "something else\n";
  CHECK(verdict(socket) == "service.exited{code=1}");
}

TEST_CASE("exit classifier: a failure after refused forks is the limit of processes, a success is not", "[guest][evidence]") {
  ExitFacts facts = facts_of(ExitCode{2}, "sh: 1: Cannot fork\n");
  facts.refused_forks = "web";
  CHECK(verdict(facts) == "guest.fork_bomb{service=web}");
  facts.status = ExitCode{0};
  CHECK(verdict(facts) == "service.exited{code=0}");
  facts.status = ExitCode{2};
  facts.refused_forks.reset();
  CHECK(verdict(facts) == "service.exited{code=2}");
}

struct Story {
  const char* name;
  ExitFacts facts;
  std::function<void(ExitFacts&)> take_away;
  const char* with;
  const char* without;
};

const protocol::OomEvidence oom{1000, 990, "hog (pid 4)", 1};

template <class Change>
ExitFacts made(ExitFacts facts, Change change) {
  change(facts);
  return facts;
}

TEST_CASE("exit classifier: taking its evidence away changes the verdict, and never to a neighbour", "[guest][evidence]") {
  const Story stories[] = {
      {"memory limit", made(facts_of(ExitSignal{SIGKILL, false}), [](ExitFacts& f) { f.oom = oom; }), [](ExitFacts& f) { f.oom.reset(); },
       "service.oom_killed{limit=1000,peak=990,victim=hog (pid 4)}", "service.signalled{signal=SIGKILL}"},
      {"memory of the VM", made(facts_of(ExitSignal{SIGKILL, false}), [](ExitFacts& f) { f.guest_oom_victim = "hog (pid 4)"; }),
       [](ExitFacts& f) { f.guest_oom_victim.reset(); }, "guest.oom{victim=hog (pid 4)}", "service.signalled{signal=SIGKILL}"},
      {"port",
       made(facts_of(ExitCode{1}, "bind: Address already in use\n"), [](ExitFacts& f) { f.taken_port = TakenPort{80, "web (pid 3)"}; }),
       [](ExitFacts& f) { f.taken_port.reset(); }, "service.port_taken{holder=web (pid 3),port=80}", "service.exited{code=1}"},
      {"library", facts_of(ExitCode{127}, "x: error while loading shared libraries: libz.so.1: cannot open\n"),
       [](ExitFacts& f) { f.stderr_tail.clear(); }, "service.missing_library{library=libz.so.1}", "service.exited{code=127}"},
      {"module", facts_of(ExitCode{1}, "Error: Cannot find module 'express'\n"), [](ExitFacts& f) { f.stderr_tail.clear(); },
       "service.missing_module{module=express}", "service.exited{code=1}"},
      {"background", made(facts_of(ExitCode{0}, {}, LifeStage::before_ready), [](ExitFacts& f) { f.left_behind = 9; }),
       [](ExitFacts& f) { f.left_behind.reset(); }, "service.daemonised{pid=9}", "service.exited_early{}"},
      {"processes", made(facts_of(ExitCode{2}, "sh: 1: Cannot fork\n"), [](ExitFacts& f) { f.refused_forks = "web"; }),
       [](ExitFacts& f) { f.refused_forks.reset(); }, "guest.fork_bomb{service=web}", "service.exited{code=2}"},
      {"port: the line", made(facts_of(ExitCode{1}, "bind: Address already in use\n"), [](ExitFacts& f) { f.taken_port = TakenPort{80, "web (pid 3)"}; }),
       [](ExitFacts& f) { f.stderr_tail.clear(); }, "service.port_taken{holder=web (pid 3),port=80}", "service.exited{code=1}"},
      {"lock", made(facts_of(ExitCode{1}, "If this server is no longer running, remove /tmp/.X1-lock\n"), [](ExitFacts& f) { f.stale_lock = "/tmp/.X1-lock"; }),
       [](ExitFacts& f) { f.stale_lock.reset(); }, "service.lock_stale{path=/tmp/.X1-lock}", "service.exited{code=1}"},
      {"lock: the line", made(facts_of(ExitCode{1}, "If this server is no longer running, remove /tmp/.X1-lock\n"), [](ExitFacts& f) { f.stale_lock = "/tmp/.X1-lock"; }),
       [](ExitFacts& f) { f.stderr_tail.clear(); }, "service.lock_stale{path=/tmp/.X1-lock}", "service.exited{code=1}"},
      {"command", facts_of(ExitCode{127}, "sh: 1: nosuch: not found\n"), [](ExitFacts& f) { f.stderr_tail.clear(); }, "service.missing_binary{path=nosuch}",
       "service.exited{code=127}"},
      {"permission", facts_of(ExitCode{126}, "sh: 1: /opt/run: Permission denied\n"), [](ExitFacts& f) { f.stderr_tail.clear(); },
       "service.not_executable{path=/opt/run}", "service.exited{code=126}"},
      {"too early", facts_of(ExitCode{0}, {}, LifeStage::before_ready), [](ExitFacts& f) { f.stage = LifeStage::running; }, "service.exited_early{}",
       "service.exited{code=0}"},
      {"signal", facts_of(ExitSignal{SIGSEGV, true}), [](ExitFacts& f) { f.status = protocol::ExitUnknown{"lost"}; }, "service.signalled{signal=SIGSEGV}",
       "unknown{seen=unknown (lost)}"},
      {"descriptors", facts_of(ExitCode{1}, "open: Too many open files\n"), [](ExitFacts& f) { f.stderr_tail.clear(); },
       "service.fd_exhausted{}", "service.exited{code=1}"},
      {"status", facts_of(ExitCode{3}), [](ExitFacts& f) { f.status = protocol::ExitUnknown{"lost"}; }, "service.exited{code=3}",
       "unknown{seen=unknown (lost)}"},
  };
  std::set<std::string> named;
  for (const Story& story : stories) {
    INFO(story.name);
    ExitFacts facts = story.facts;
    named.insert(classify_exit(facts).text);
    CHECK(verdict(facts) == story.with);
    story.take_away(facts);
    CHECK(verdict(facts) == story.without);
  }
  // All that classify_exit() can name.
  CHECK(named == std::set<std::string>{"guest.fork_bomb", "guest.oom", "service.daemonised", "service.exited", "service.exited_early", "service.fd_exhausted",
                                       "service.lock_stale", "service.missing_binary", "service.missing_library", "service.missing_module",
                                       "service.not_executable", "service.oom_killed", "service.port_taken", "service.signalled"});
}

TEST_CASE("exit classifier: a probed port in foreign hands explains an early death, not a late one", "[guest][evidence]") {
  ExitFacts facts = facts_of(ExitCode{1}, "cannot start\n", LifeStage::before_ready);
  facts.taken_port = TakenPort{8080, "nginx (pid 31)"};
  CHECK(verdict(facts) == "service.port_taken{holder=nginx (pid 31),port=8080}");
  facts.stage = LifeStage::running;
  CHECK(verdict(facts) == "service.exited{code=1}");
}

TEST_CASE("exit classifier: a port that nobody holds any more is still named", "[guest][evidence]") {
  ExitFacts facts = facts_of(ExitCode{1}, "listen tcp :9000: bind: address already in use\n");
  facts.taken_port = TakenPort{9000, ""};
  CHECK(verdict(facts) == "service.port_taken{holder=a process that has gone,port=9000}");
}

TEST_CASE("exit classifier: the kernel's word comes first", "[guest][evidence]") {
  ExitFacts facts = facts_of(ExitSignal{SIGKILL, false}, "Address already in use\n");
  facts.oom = protocol::OomEvidence{1000, 999, "hog (pid 7)", 1};
  CHECK(verdict(facts) == "service.oom_killed{limit=1000,peak=999,victim=hog (pid 7)}");
  facts.oom.reset();
  facts.guest_oom_victim = "hog (pid 7)";
  CHECK(verdict(facts) == "guest.oom{victim=hog (pid 7)}");
}

TEST_CASE("exit classifier: the telling line is the first of the evidence, then the last lines of stderr, else of stdout", "[guest][evidence]") {
  ExitFacts facts = facts_of(ExitCode{1}, "Error: Cannot find module 'express'\nRequire stack:\n- /srv/app.js\n");
  facts.stdout_tail = "starting\n";
  const protocol::Cause cause = classify_exit(facts);
  REQUIRE(cause.evidence.size() == 3);
  CHECK(cause.evidence[0] == "Error: Cannot find module 'express'");
  CHECK(cause.evidence[2] == "- /srv/app.js");
  facts.stderr_tail.clear();
  CHECK(classify_exit(facts).evidence == std::vector<std::string>{"starting"});
}

}  // namespace
}  // namespace vigil::guest::evidence
