#include "guest/readiness/sd_notify_probe.hpp"
#include "tests/unit/guest/readiness/probe_scene.hpp"

#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>

namespace vigil::guest::readiness {
namespace {

/// READY from the service's own shell: systemd-notify may not be installed, python3 is what the build needs anyway.
std::string python_notify(const std::string& message) {
  return "python3 -c 'import os,socket; s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.sendto(b\"" + message +
         "\", os.environ[\"NOTIFY_SOCKET\"])'";
}

void send_datagram(const std::string& path, const std::string& text) {
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, path.c_str(), path.size() + 1);
  REQUIRE(sendto(fd.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to) == static_cast<ssize_t>(text.size()));
}

TEST_CASE("notify-fd: a line passes, bytes without one do not", "[guest][readiness]") {
  ProbeScene scene;
  REQUIRE(mkfifo(scene.file("gate").c_str(), 0600) == 0);
  scene.start({service_spec::NotifyFdProbe{7}}, "printf x >&7; read x < " + scene.file("gate") + "; echo >&7; exec sleep 1000");
  scene.settle();
  CHECK_FALSE(scene.probes->all_passed());
  std::ofstream(scene.file("gate")) << "\n";
  CHECK(scene.wait_until_passed());
  CHECK(scene.probes->results()[0].probe == "notify-fd");
}

TEST_CASE("notify-fd: a descriptor closed without a line is said in the time-out", "[guest][readiness]") {
  ProbeScene scene;
  scene.start({service_spec::NotifyFdProbe{3}}, "exec sleep 1000 3>&-");
  CHECK(run_until(scene.loop, [&] { return !scene.probes->timeout_cause().evidence.empty(); }));
  const protocol::Cause cause = scene.probes->timeout_cause();
  CHECK(cause.text == "service.ready_timeout");
  CHECK(protocol::field_text(cause, "probe") == "notify-fd");
  CHECK(cause.evidence[0].find("closed without a line") != std::string::npos);
}

TEST_CASE("sd-notify: READY=1 of the service's process passes", "[guest][readiness]") {
  ProbeScene scene;
  scene.start({service_spec::SdNotifyProbe{}}, python_notify("STATUS=loading\\nREADY=1") + "; exec sleep 1000");
  CHECK(scene.wait_until_passed());
}

TEST_CASE("sd-notify: another process's word does not count, and a status is kept as evidence", "[guest][readiness]") {
  ProbeScene scene;
  scene.start({service_spec::SdNotifyProbe{}}, python_notify("STATUS=loading models") + "; exec sleep 1000");
  send_datagram(scene.file("notify/web"), "READY=1");   // from us, who are no part of the service
  REQUIRE(run_until(scene.loop, [&] { return !scene.probes->timeout_cause().evidence.empty(); }));
  CHECK_FALSE(scene.probes->all_passed());
  CHECK(scene.probes->timeout_cause().evidence[0] == "sd-notify: status: loading models");
}

TEST_CASE("sd-notify: datagrams are taken also after READY, so that no service blocks on us", "[guest][readiness]") {
  ProbeScene scene;
  scene.start({service_spec::SdNotifyProbe{}},
              "python3 -c 'import os,socket; s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n"
              "for i in range(2000): s.sendto(b\"READY=1\", os.environ[\"NOTIFY_SOCKET\"])'; echo done > " + scene.file("done") + "; exec sleep 1000");
  CHECK(scene.wait_until_passed());
  CHECK(run_until(scene.loop, [&] { return access(scene.file("done").c_str(), F_OK) == 0; }));
}

TEST_CASE("sd-notify: only whole lines mean something", "[guest][readiness]") {
  CHECK(parse_notification("READY=1").ready);
  CHECK(parse_notification("STATUS=x\nREADY=1\n").ready);
  CHECK_FALSE(parse_notification("READY=10").ready);
  CHECK_FALSE(parse_notification("XREADY=1").ready);
  CHECK_FALSE(parse_notification("").ready);
  CHECK(parse_notification("STATUS=a b\nMAINPID=4").status == "a b");
  CHECK(parse_notification("STATUS=" + std::string(5000, 'x')).status.size() == 200);
}

TEST_CASE("sd-notify: the socket goes with the probe", "[guest][readiness]") {
  ProbeScene scene;
  scene.start({service_spec::SdNotifyProbe{}}, "exec sleep 1000");
  CHECK(access(scene.file("notify/web").c_str(), F_OK) == 0);
  scene.probes.reset();
  CHECK(access(scene.file("notify/web").c_str(), F_OK) != 0);
}

}  // namespace
}  // namespace vigil::guest::readiness
