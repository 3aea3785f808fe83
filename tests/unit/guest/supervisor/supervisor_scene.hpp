// A supervisor over real processes, started from the text of service files as the agent reads them; its reports are kept to look at.
#pragma once

#include "guest/supervisor/supervisor.hpp"
#include "tests/unit/guest/process/scene.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vigil::guest::supervisor {

class RecordingSink final : public ReportSink {
public:
  Seq submit(protocol::ReportBody body) override {
    if (auto* service = std::get_if<protocol::ServiceReport>(&body)) services.push_back(std::move(*service));
    if (auto* crash = std::get_if<protocol::CrashReport>(&body)) {
      if (on_crash) on_crash(*crash);
      crashes.push_back(std::move(*crash));
    }
    return ++seq_;
  }

  std::vector<protocol::ServiceReport> services;
  std::vector<protocol::CrashReport> crashes;
  std::function<void(const protocol::CrashReport&)> on_crash;

private:
  Seq seq_ = 0;
};

struct SupervisorScene {
  TestDirectory directory;
  EventLoop loop;
  process::Reaper reaper{loop};
  RecordingSink sink;
  SupervisorOptions options;
  std::vector<service_spec::SpecSource> sources;
  std::unique_ptr<Supervisor> supervisor;
  int essentials_ready = 0, all_settled = 0;
  std::vector<std::string> essential_failures;

  SupervisorScene() {
    options.runtime_dir = directory.path() + "/run";
    options.tracefs.clear();
  }
  ~SupervisorScene() {
    if (supervisor) stop(std::chrono::milliseconds(0));
  }

  /// `rest`: further members of the file, with a leading comma.
  void service(const std::string& name, const std::string& script, const std::string& rest = {}) {
    raw(name, R"({"name":")" + name + R"(","exec":["/bin/sh","-c",")" + script + R"("])" + rest + "}");
  }
  void raw(const std::string& name, const std::string& text) { sources.push_back({"/etc/vigil/services.d/" + name + ".json", text, {}}); }

  void start() {
    supervisor = std::make_unique<Supervisor>(loop, sink, reaper, options);
    SupervisorEvents events;
    events.essentials_ready = [this] { ++essentials_ready; };
    events.all_settled = [this] { ++all_settled; };
    events.essential_failed = [this](const protocol::ServiceReport& report) { essential_failures.push_back(report.name.value()); };
    supervisor->start(service_spec::parse_service_specs(sources), std::move(events));
  }

  bool stop(std::chrono::milliseconds grace) {
    bool done = false;
    supervisor->stop_all(grace, [&] { done = true; });
    return run_until(loop, [&] { return done; });
  }

  protocol::ServiceReport now(const std::string& name) const {
    for (const auto& report : supervisor->services())
      if (report.name.value() == name) return report;
    FAIL("no service " << name);
    return {};
  }

  bool wait_for(const std::string& name, protocol::ServiceState state) {
    const bool reached = run_until(loop, [&] { return now(name).state == state; });
    INFO(name << " is " << to_text(now(name).state) << (now(name).cause ? ": " + protocol::sentence(*now(name).cause) : ""));
    CHECK(reached);
    return reached;
  }

  bool wait_for_crashes(std::size_t count) {
    return run_until(loop, [&] { return sink.crashes.size() >= count; });
  }

  /// The states that a service went through, each run of equal ones once.
  std::vector<std::string> states_of(const std::string& name) const {
    std::vector<std::string> states;
    for (const auto& report : sink.services)
      if (report.name.value() == name && (states.empty() || states.back() != to_text(report.state))) states.emplace_back(to_text(report.state));
    return states;
  }

  std::string file(const std::string& name) const { return directory.path() + "/" + name; }
};

/// A listener of this process on a port that the system chose.
class OwnPort {
public:
  explicit OwnPort(const char* address = "127.0.0.1") : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    REQUIRE(inet_pton(AF_INET, address, &to.sin_addr) == 1);
    REQUIRE(bind(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    socklen_t length = sizeof to;
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&to), &length);
    port_ = ntohs(to.sin_port);
    REQUIRE(listen(fd_.get(), 8) == 0);
  }
  std::string port() const { return std::to_string(port_); }
  std::uint16_t number() const { return port_; }
  void close() { fd_.reset(); }

private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

/// A port that was free a moment ago.
inline std::string free_port() {
  OwnPort port;
  return port.port();
}

}  // namespace vigil::guest::supervisor
