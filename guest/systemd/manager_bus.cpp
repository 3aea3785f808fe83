#include "guest/systemd/manager_bus.hpp"

#include "guest/log/log.hpp"

#include <string_view>
#include <utility>

namespace vigil::guest::systemd {
namespace {

constexpr const char* manager_path = "/org/freedesktop/systemd1";
constexpr const char* manager = "org.freedesktop.systemd1.Manager";
constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";
constexpr const char* service_interface = "org.freedesktop.systemd1.Service";
constexpr const char* properties_interface = "org.freedesktop.DBus.Properties";
constexpr std::size_t max_jobs = 256;

dbus::Call manager_call(const std::string& member, dbus::Arguments arguments = {}) {
  return {manager_path, manager, member, std::move(arguments)};
}

void log_failure(const char* what, const Result<dbus::Message>& answer) {
  if (!answer) log::warning("systemd.refused", {{"call", what}, {"err", answer.error().message()}});
}

std::vector<Job> read_jobs(dbus::BodyReader reader) {
  std::vector<Job> jobs;
  reader.each([&jobs](dbus::BodyReader& row) {
    row.members([&jobs](dbus::BodyReader& member) {
      Job job;
      job.id = static_cast<std::uint32_t>(member.number());
      for (std::string* text : {&job.unit, &job.type, &job.state}) *text = member.text();
      if (jobs.size() < max_jobs) jobs.push_back(std::move(job));
    });
  });
  return jobs;
}

}  // namespace

Result<std::unique_ptr<ManagerBus>> ManagerBus::open(EventLoop& loop, const std::string& path, Events events) {
  std::unique_ptr<ManagerBus> bus(new ManagerBus(std::move(events)));
  dbus::Connection::Events connection_events{[raw = bus.get()](const dbus::Message& message) { raw->signalled(message); },
                                             [raw = bus.get()](const std::string& why) {
                                               const auto lost = raw->events_.lost;   // it may destroy us
                                               lost(why);
                                             }};
  TRY(connection, dbus::Connection::open(loop, path, std::move(connection_events)));
  bus->connection_ = std::move(connection);
  return bus;
}

void ManagerBus::signalled(const dbus::Message& message) {
  auto reader = message.reader();
  if (message.interface == properties_interface && message.member == "PropertiesChanged") {
    const std::string interface(reader.text());
    // systemd tells the properties of the kind first, then those that all units have.
    if (interface == unit_interface || interface == service_interface) events_.changed(message.path, reader, interface == unit_interface);
  } else if (message.interface == manager && message.member == "JobRemoved") {
    reader.skip();
    reader.skip();
    const std::string unit(reader.text()), result(reader.text());
    if (!reader.failed()) events_.job_removed(unit, result);
  } else if (message.interface == manager && message.member == "JobNew") {
    reader.skip();
    reader.skip();
    const std::string unit(reader.text());
    if (!reader.failed()) events_.job_new(unit);
  } else if (message.interface == manager && message.member == "Reloading" && reader.number() == 0 && !reader.failed()) {
    events_.reloaded();
  }
}

void ManagerBus::subscribe() {
  connection_->call(manager_call("Subscribe"), [](const Result<dbus::Message>& answer) { log_failure("Subscribe", answer); });
}

void ManagerBus::set_environment(const std::vector<std::string>& assignments) {
  if (assignments.empty()) return;
  connection_->call(manager_call("SetEnvironment", dbus::Arguments().texts(assignments)),
                    [](const Result<dbus::Message>& answer) { log_failure("SetEnvironment", answer); });
}

void ManagerBus::properties_of(const std::string& path, const char* interface, UnitFacts facts,
                               std::function<void(Result<UnitFacts>)> done) {
  connection_->call({path, properties_interface, "GetAll", dbus::Arguments().text(interface)},
                    [facts = std::move(facts), done = std::move(done)](const Result<dbus::Message>& answer) {
                      if (!answer) return done(answer.error());
                      UnitFacts all = facts;
                      auto reader = answer->reader();
                      take_properties(all, reader);
                      if (reader.failed()) return done(Error(Errc::protocol, "systemd's answer cannot be read"));
                      done(std::move(all));
                    });
}

void ManagerBus::load(const std::string& unit, bool is_service, std::function<void(Result<UnitFacts>)> done) {
  connection_->call(manager_call("LoadUnit", dbus::Arguments().text(unit)),
                    [this, is_service, done = std::move(done)](const Result<dbus::Message>& answer) {
                      if (!answer) return done(answer.error());
                      auto reader = answer->reader();
                      const std::string path(reader.text());
                      if (reader.failed()) return done(Error(Errc::protocol, "systemd's answer cannot be read"));
                      if (!is_service) return properties_of(path, unit_interface, {}, done);
                      properties_of(path, service_interface, {}, [this, path, done](Result<UnitFacts> facts) {
                        if (!facts) return done(facts.error());
                        properties_of(path, unit_interface, std::move(*facts), done);
                      });
                    });
}

void ManagerBus::act(const std::string& method, const std::string& unit, const std::string& mode, Done done) {
  connection_->call(
      manager_call(method, dbus::Arguments().text(unit).text(mode)),
      [done = std::move(done)](const Result<dbus::Message>& answer) { done(answer ? Result<void>() : Result<void>(answer.error())); });
}

void ManagerBus::jobs_before(std::uint32_t job, std::function<void(std::vector<Job>)> done) {
  connection_->call(manager_call("GetJobBefore", dbus::Arguments().number(job)),
                    [done = std::move(done)](const Result<dbus::Message>& answer) {
                      done(answer ? read_jobs(answer->reader()) : std::vector<Job>());   // the job may be gone by now
                    });
}

}  // namespace vigil::guest::systemd
