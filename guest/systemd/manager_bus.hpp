// systemd's manager as calls and signals with our types: the one place that knows its object paths, interfaces and members.
//
// Shape:  open() connects to the private socket, which only root may; everything else is asynchronous. A connection that ends is said once, and then this object is of no use.
// Source: org.freedesktop.systemd1(5).
#pragma once

#include "guest/dbus/connection.hpp"
#include "guest/systemd/unit_facts.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vigil::guest::systemd {

inline constexpr const char* private_socket = "/run/systemd/private";

/// One entry of the queue of jobs.
struct Job {
  std::uint32_t id = 0;
  std::string unit, type, state;  // "start", "waiting" or "running"
};

class ManagerBus {
public:
  struct Events {
    /// The properties of the unit at this object path; `is_last`: no more of this change follow.
    std::function<void(const std::string& path, dbus::BodyReader& properties, bool is_last)> changed;
    std::function<void(const std::string& unit)> job_new;
    std::function<void(const std::string& unit, const std::string& result)> job_removed;
    std::function<void()> reloaded;
    std::function<void(const std::string& why)> lost;
  };
  using Done = std::function<void(const Result<void>&)>;

  static Result<std::unique_ptr<ManagerBus>> open(EventLoop& loop, const std::string& path, Events events);

  void subscribe();
  void set_environment(const std::vector<std::string>& assignments);
  /// Loads the unit's file if need be and lays all its properties over `facts`.
  void load(const std::string& unit, bool is_service, std::function<void(Result<UnitFacts>)> done);
  /// "StartUnit", "StopUnit", "RestartUnit", "ReloadUnit".
  void act(const std::string& method, const std::string& unit, const std::string& mode, Done done);
  /// What this job is ordered after and that is still queued.
  void jobs_before(std::uint32_t job, std::function<void(std::vector<Job>)> done);

private:
  explicit ManagerBus(Events events) : events_(std::move(events)) {}
  void signalled(const dbus::Message& message);
  void properties_of(const std::string& path, const char* interface, UnitFacts facts, std::function<void(Result<UnitFacts>)> done);

  Events events_;
  std::unique_ptr<dbus::Connection> connection_;
};

}  // namespace vigil::guest::systemd
