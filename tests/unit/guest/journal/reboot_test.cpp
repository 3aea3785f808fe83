// Two boots of a whole agent, with nothing between them but the directory: what the first could not deliver, the second does.
#include "../link/host_end.hpp"
#include "../process/scene.hpp"

#include "guest/journal/keep_crashes.hpp"
#include "guest/journal/record.hpp"
#include "guest/process/small_file.hpp"

#include <csignal>
#include <optional>

namespace vigil::guest::link {

namespace fs = std::filesystem;

namespace {

const BootId later_boot("11111111-2222-3333-4444-555555555555");

struct Machine {
  ProcessScene processes;
  TestDirectory directory;
  HostEnd host{processes.loop};
  std::optional<process::Launched> agent;

  Machine() {
    fs::create_directories(directory.path() + "/services");
    directory.write("services/web.json",
                    R"({"name":"web","exec":["/bin/sh","-c","echo torn apart >&2; kill -SEGV $$"],"restart":"never","essential":false})");
  }
  std::string file() const { return directory.path() + "/kept/" + journal::journal_name; }
  void boot(const BootId& boot) {
    process::LaunchPlan plan;
    plan.argv = {VIGIL_GUEST,     "run",
                 "--services",    directory.path() + "/services",
                 "--link",        "unix:" + host.path(),
                 "--boot-id",     boot.value(),
                 "--journal",     directory.path() + "/kept",
                 "--runtime-dir", directory.path() + "/run",
                 "--config",      directory.write("welcome.json", welcome())};
    plan.env = {"ASAN_OPTIONS=detect_leaks=0"};
    agent = processes.launch(plan);
  }
  static std::string welcome() { return protocol::encode(protocol::Message{test_boot, 0, make_welcome("")}); }
  void power_cut() { end(SIGKILL); }
  void end(int signal) {
    ::kill(agent->pid, signal);
    processes.wait(agent->pid);
  }
  std::size_t kept() const {
    return journal::read_journal(process::read_small_file(file(), journal::max_journal_bytes).value_or("")).crashes.size();
  }
};

}  // namespace

TEST_CASE("reboot: a crash that the host never heard of is sent by the next boot with its origin, and then forgotten", "[guest][journal]") {
  Machine machine;
  machine.boot(test_boot);   // nobody listens on the link
  REQUIRE(run_until(machine.processes.loop, [&] { return machine.kept() == 1; }));
  const auto kept = journal::read_journal(*process::read_small_file(machine.file(), journal::max_journal_bytes)).crashes.at(0);
  machine.power_cut();

  machine.directory.write("services/web.json", R"({"name":"web","exec":["/bin/sleep","1000"]})");
  machine.host.listen();
  machine.boot(later_boot);
  machine.host.receive_a<protocol::Hello>();
  machine.host.welcome("t");
  std::optional<protocol::CrashReport> again;
  while (!again) {
    const auto message = machine.host.receive();
    const auto* report = std::get_if<protocol::Report>(&message.content);
    if (report == nullptr) continue;
    machine.host.send(protocol::Ack{report->seq});
    if (const auto* crash = std::get_if<protocol::CrashReport>(&report->body)) again = *crash;
  }
  REQUIRE(again->origin == std::pair(test_boot, kept.seq));
  REQUIRE(again->service == "web");
  REQUIRE(again->stderr_tail == "torn apart\n");
  REQUIRE(run_until(machine.processes.loop, [&] { return !fs::exists(machine.file()); }));
  machine.end(SIGTERM);
}

TEST_CASE("reboot: what a boot could not deliver either keeps its first origin", "[guest][journal]") {
  Machine machine;
  machine.boot(test_boot);
  REQUIRE(run_until(machine.processes.loop, [&] { return machine.kept() == 1; }));
  machine.power_cut();
  machine.boot(later_boot);   // crashes once more itself
  REQUIRE(run_until(machine.processes.loop, [&] { return machine.kept() == 2; }));
  machine.power_cut();
  const auto crashes = journal::read_journal(*process::read_small_file(machine.file(), journal::max_journal_bytes)).crashes;
  std::size_t of_first = 0;
  for (const auto& crash : crashes) {
    const auto& origin = std::get<protocol::CrashReport>(crash.body).origin;
    REQUIRE(crash.boot == later_boot);
    if (!origin) continue;
    REQUIRE(origin->first == test_boot);
    ++of_first;
  }
  REQUIRE(of_first == 1);
}

}  // namespace vigil::guest::link
