// A peer that answers as systemd's manager does, in the test's own event loop: units are rows of properties, and a test says what happens to them.
#pragma once

#include "guest/dbus/message.hpp"
#include "guest/loop/event_loop.hpp"
#include "guest/systemd/unit_facts.hpp"
#include "shared/base/unique_fd.hpp"
#include "tests/unit/guest/dbus/wire_builder.hpp"

#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace vigil::guest::systemd::test {

using dbus::test::Header;
using dbus::test::make_message;
using dbus::test::Wire;

struct FakeUnit {
  std::string id, fragment = "", load = "loaded", active = "inactive", sub = "dead", result = "success", restart = "on-failure";
  std::vector<std::string> wants = {};
  std::uint32_t job = 0, restarts = 0, main_pid = 0, exec_pid = 0, burst = 5;
  std::int32_t code = 0, status = 0;
  std::uint64_t ended_us = 0, interval_us = 10'000'000;
};

class FakeSystemd {
public:
  FakeSystemd(EventLoop& loop, const std::string& path) : loop_(loop), path_(path) { listen(); }

  std::map<std::string, FakeUnit> units;  // by name; an alias is another key
  std::map<std::uint32_t, std::vector<std::array<std::string, 3>>> before;  // job -> unit, type, state
  std::map<std::string, std::uint32_t> job_ids;
  std::vector<std::string> called;  // "StartUnit web.service"

  void listen() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size());
    ::unlink(path_.c_str());
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(listener_.get(), 4) != 0)
      std::abort();
    acceptable_ = loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) {
      peer_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      reader_ = {};
      let_in_ = false;
      readable_ = loop_.watch(peer_.get(), EPOLLIN, [this](std::uint32_t) { read(); });
    });
  }
  void hang_up() {
    readable_.cancel();
    peer_.reset();
  }
  void refuse_all() {
    hang_up();
    acceptable_.cancel();
    listener_.reset();
    ::unlink(path_.c_str());
  }

  /// Nothing that either side has sent is still unread. Nobody there to talk to, because we refuse all, is quiet, too; a peer that is still to come is not.
  bool is_quiet() const {
    if (!listener_) return true;
    int unheard = 0, unsaid = 0;
    return peer_ && ::ioctl(peer_.get(), FIONREAD, &unheard) == 0 && ::ioctl(peer_.get(), SIOCOUTQ, &unsaid) == 0 && unheard == 0 &&
           unsaid == 0;
  }

  /// systemd has read its units' files anew.
  void reloaded() {
    signal("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "Reloading", "b", [](Wire& wire) { wire.u(0); });
  }

  /// Both signals of a change of this unit, as systemd sends them.
  void tell(const std::string& name) {
    const FakeUnit& unit = units.at(name);
    signal(object_path_of(unit.id), "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", [&](Wire& wire) {
      wire.s("org.freedesktop.systemd1.Service").array(8, [&](Wire& entries) { service(unit, entries); }).array(4, [](Wire&) {});
    });
    signal(object_path_of(unit.id), "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", [&](Wire& wire) {
      wire.s("org.freedesktop.systemd1.Unit").array(8, [&](Wire& entries) { common(unit, entries); }).array(4, [](Wire&) {});
    });
  }
  void job_removed(const std::string& name, const std::string& result) {
    signal("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss",
           [&](Wire& wire) { wire.u(1).s("/job/1").s(name).s(result); });
  }
  void job_new(const std::string& name) {
    signal("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobNew", "uos",
           [&](Wire& wire) { wire.u(1).s("/job/1").s(name); });
  }

private:
  void signal(const std::string& path, const std::string& interface, const std::string& member, const std::string& signature,
              const std::function<void(Wire&)>& fill) {
    Wire body;
    fill(body);
    send(make_message({4, ++serial_, 0, path, interface, member, "", signature}, body.bytes()));
  }
  void send(const std::string& bytes) {
    if (peer_ && ::send(peer_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) hang_up();
  }
  static void common(const FakeUnit& unit, Wire& entries) {
    entries.text_entry("Id", unit.id).text_entry("FragmentPath", unit.fragment).text_entry("LoadState", unit.load);
    entries.text_entry("ActiveState", unit.active).text_entry("SubState", unit.sub);
    entries.entry("Job", "(uo)", [&](Wire& job) { job.align(8).u(unit.job).s("/job"); });
    entries.entry("StartLimitBurst", "u", [&](Wire& value) { value.u(unit.burst); });
    entries.entry("StartLimitIntervalUSec", "t", [&](Wire& value) { value.t(unit.interval_us); });
    entries.entry("Wants", "as", [&](Wire& value) {
      value.array(4, [&](Wire& list) {
        for (const auto& each : unit.wants) list.s(each);
      });
    });
  }
  static void service(const FakeUnit& unit, Wire& entries) {
    entries.text_entry("Result", unit.result).text_entry("Restart", unit.restart);
    for (const auto& [name, value] :
         {std::pair{"NRestarts", unit.restarts}, std::pair{"MainPID", unit.main_pid}, std::pair{"ExecMainPID", unit.exec_pid}})
      entries.entry(name, "u", [number = value](Wire& wire) { wire.u(number); });
    entries.entry("ExecMainCode", "i", [&](Wire& wire) { wire.i(unit.code); });
    entries.entry("ExecMainStatus", "i", [&](Wire& wire) { wire.i(unit.status); });
    entries.entry("ExecMainExitTimestampMonotonic", "t", [&](Wire& wire) { wire.t(unit.ended_us); });
  }
  void read() {
    char block[8192];
    const ssize_t count = ::recv(peer_.get(), block, sizeof block, 0);
    if (count <= 0) return hang_up();
    std::string_view bytes(block, static_cast<std::size_t>(count));
    if (!let_in_ && bytes.find("BEGIN\r\n") == bytes.npos) return send("OK 00\r\n");
    if (!std::exchange(let_in_, true)) bytes.remove_prefix(bytes.find("BEGIN\r\n") + 7);
    reader_.add(bytes);
    for (auto message = reader_.next(); message && *message; message = reader_.next()) answer(**message);
  }
  void answer(const dbus::Message& call) {
    auto body = call.reader();
    const std::string first(call.signature.starts_with("s") ? body.text() : std::string_view());
    called.push_back(call.member + (first.empty() ? "" : " " + first));
    Wire reply;
    std::string signature;
    if (call.member == "LoadUnit") {
      if (!units.contains(first)) return fail(call);
      signature = "o";
      reply.s(object_path_of(units.at(first).id));
    } else if (call.member == "GetAll") {
      signature = "a{sv}";
      for (const auto& [name, unit] : units) {
        if (object_path_of(unit.id) != call.path) continue;
        reply.array(8, [&, each = unit](Wire& entries) { first.ends_with("Service") ? service(each, entries) : common(each, entries); });
        break;
      }
    } else if (call.member == "GetJobBefore") {
      signature = "a(usssoo)";
      auto number = call.reader();
      const auto& jobs = before[static_cast<std::uint32_t>(number.number())];
      reply.array(8, [&](Wire& rows) {
        for (const auto& job : jobs) rows.align(8).u(job_ids[job[0]]).s(job[0]).s(job[1]).s(job[2]).s("/j").s("/u");
      });
    }
    send(make_message({2, ++serial_, call.serial, "", "", "", "", signature}, reply.bytes()));
  }
  void fail(const dbus::Message& call) {
    send(make_message({3, ++serial_, call.serial, "", "", "", "org.freedesktop.systemd1.NoSuchUnit", "s"}, Wire().s("not found").bytes()));
  }

  EventLoop& loop_;
  std::string path_;
  UniqueFd listener_, peer_;
  dbus::MessageReader reader_;
  bool let_in_ = false;
  std::uint32_t serial_ = 0;
  LoopToken acceptable_, readable_;
};

}  // namespace vigil::guest::systemd::test
