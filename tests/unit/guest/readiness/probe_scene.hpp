// One real probe against one real process.
#pragma once

#include "guest/readiness/probe_set.hpp"
#include "tests/unit/guest/process/scene.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

namespace vigil::guest::readiness {

/// A TCP socket of this process; its port is the system's choice, and it listens when told.
class TestSocket {
public:
  explicit TestSocket(const char* address = "127.0.0.1") : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    REQUIRE(inet_pton(AF_INET, address, &to.sin_addr) == 1);
    REQUIRE(bind(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    socklen_t length = sizeof to;
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&to), &length);
    port_ = ntohs(to.sin_port);
  }
  void start_listening() const { REQUIRE(listen(fd_.get(), 8) == 0); }
  UniqueFd accept_one() const { return UniqueFd(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  bool has_connection() const {
    pollfd waiting{fd_.get(), POLLIN, 0};
    return poll(&waiting, 1, 0) == 1;
  }
  int fd() const { return fd_.get(); }
  std::uint16_t port() const { return port_; }
  void close() { fd_.reset(); }

private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

struct ProbeScene : ProcessScene {
  TestDirectory directory;
  std::string tracefs;
  std::unique_ptr<ListenerWatch> listeners;
  std::unique_ptr<ProbeTools> tools;
  std::unique_ptr<ProbeSet> probes;
  pid_t pid = 0;
  int changes = 0;

  ~ProbeScene() {
    probes.reset();
    if (pid <= 0) return;
    process::ProcessGroup("", pid).kill_all();
    reaper.collect();
  }

  /// Probes of a service that runs `script`.
  void start(const std::vector<service_spec::ProbeSpec>& specs, const std::string& script) {
    process::LaunchPlan plan = shell(script);
    prepare(specs, plan);
    pid = launch(plan).pid;
    probes->begin(process::ProcessGroup("", pid));
  }

  /// Probes of a service that is this very process, so that the test decides when it listens.
  void start_on_ourselves(const std::vector<service_spec::ProbeSpec>& specs) {
    process::LaunchPlan plan = shell("true");
    prepare(specs, plan);
    probes->begin(process::ProcessGroup("", getpid()));
  }

  bool wait_until_passed() {
    return run_until(loop, [this] { return probes->all_passed(); });
  }
  bool wait_for_finding(const std::string& code) {
    return run_until(loop, [&] {
      const auto finding = probes->finding();
      return finding && finding->text == code;
    });
  }
  /// Lets everything that is due happen.
  void settle() {
    for (int turn = 0; turn < 5; ++turn) loop.run_once(std::chrono::milliseconds(0));
  }
  std::string file(const std::string& name) const { return directory.path() + "/" + name; }

private:
  void prepare(const std::vector<service_spec::ProbeSpec>& specs, process::LaunchPlan& plan) {
    listeners = std::make_unique<ListenerWatch>(loop, tracefs);
    tools = std::make_unique<ProbeTools>(ProbeTools{loop, launcher, reaper, *listeners, 1, directory.path(),
                                                    [](pid_t holder) { return "pid " + std::to_string(holder); }});
    probes = std::make_unique<ProbeSet>(specs, ServiceName("web"), *tools, [this] { ++changes; });
    REQUIRE(probes->prepare(plan).has_value());
  }
};

}  // namespace vigil::guest::readiness
