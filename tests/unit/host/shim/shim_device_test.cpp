// The device comes first, must serve its socket in time, and its end is told apart from the VMM's.
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/shim/shim_fixture.hpp"

#include <csignal>

namespace vigil::shim {

using vigil::test::Seen;
using vigil::test::ShimFixture;

namespace {

ShimSpec with_device(const ShimFixture& fixture, const std::string& script, std::vector<std::string> argv) {
  ShimSpec spec = fixture.spec(script);
  const std::string socket = (fixture.run_dir() / "vhost.sock").string();
  if (argv.empty()) argv = {DEVICE_PROGRAM, socket};
  spec.plan.device = vmm::DevicePlan{std::move(argv), socket, std::chrono::seconds(10)};
  return spec;
}

}  // namespace

TEST_CASE("shim device: the VMM starts when the device's socket is there, and both end together", "[host][shim]") {
  ShimFixture fixture;
  const Seen seen = fixture.run_to_end(with_device(fixture, "test -S " + (fixture.run_dir() / "vhost.sock").string() + " && echo served", {}));
  const auto* ended = seen.find<Ended>();
  REQUIRE(ended);
  CHECK(seen.console == "served\n");
  CHECK(ended->record.device.pid > 0);
  CHECK_FALSE(ended->record.device_exit);
  CHECK(test::ends(ended->record.device.pid));
}

TEST_CASE("shim device: one that dies while the VMM runs is told at once, and told again to one who attaches later", "[host][shim]") {
  ShimFixture fixture;
  REQUIRE(fixture.spawn(with_device(fixture, "echo up; exec tail -f /dev/null", {})));
  const auto connection = fixture.attach();
  REQUIRE(connection);
  Seen seen;
  fixture.read(**connection, seen, [&seen] { return seen.console == "up\n"; });
  const auto* started = seen.find<VmmStarted>();
  const ProcessIdentity device = started ? started->device : seen.find<Status>()->device;
  REQUIRE(signal_process(device, SIGUSR2));
  fixture.read(**connection, seen, [&seen] { return seen.find<DeviceExited>() != nullptr; });
  REQUIRE(seen.find<DeviceExited>());
  CHECK(seen.find<DeviceExited>()->exit == protocol::ExitStatus(protocol::ExitSignal{SIGUSR2, false}));

  const auto second = fixture.attach();
  REQUIRE(second);
  Seen later;
  fixture.read(**second, later, [&later] { return later.find<DeviceExited>() != nullptr; });
  CHECK(later.find<Status>()->phase == Phase::running);
  REQUIRE((*second)->kill_vmm(SIGKILL));
  fixture.read(**second, later);
  REQUIRE(later.find<Ended>());
  CHECK(later.find<Ended>()->record.device_exit == protocol::ExitStatus(protocol::ExitSignal{SIGUSR2, false}));
}

TEST_CASE("shim: a VMM whose process is stopped and let go on is told at once, and to one who attaches meanwhile", "[host][shim]") {
  ShimFixture fixture;
  REQUIRE(fixture.spawn(with_device(fixture, "echo up; exec tail -f /dev/null", {})));
  const auto connection = fixture.attach();
  REQUIRE(connection);
  Seen seen;
  fixture.read(**connection, seen, [&seen] { return seen.console == "up\n"; });
  const auto* started = seen.find<VmmStarted>();
  const ProcessIdentity vmm = started ? started->vmm : seen.find<Status>()->vmm;
  REQUIRE(signal_process(vmm, SIGSTOP));
  fixture.read(**connection, seen, [&seen] { return seen.find<VmmHalted>() != nullptr; });
  REQUIRE(seen.find<VmmHalted>());
  CHECK(seen.find<VmmHalted>()->halted);

  const auto second = fixture.attach();
  REQUIRE(second);
  Seen later;
  fixture.read(**second, later, [&later] { return later.find<VmmHalted>() != nullptr; });
  CHECK(later.find<VmmHalted>()->halted);
  REQUIRE(signal_process(vmm, SIGCONT));
  Seen after;
  fixture.read(**second, after, [&after] { return after.find<VmmHalted>() != nullptr; });
  CHECK_FALSE(after.find<VmmHalted>()->halted);
  REQUIRE((*second)->kill_vmm(SIGKILL));
  fixture.read(**second, after);
  REQUIRE(after.find<Ended>());
}

TEST_CASE("shim device: one that ends before it serves is the reason why the VMM never ran", "[host][shim]") {
  ShimFixture fixture;
  const Seen seen = fixture.run_to_end(with_device(fixture, "echo never", {"/bin/sh", "-c", "echo no vhost here >&2; exit 7"}));
  const auto* ended = seen.find<Ended>();
  REQUIRE(ended);
  CHECK(ended->record.start_error.find("/bin/sh: ended before it was ready, code 7; it said: no vhost here") != std::string::npos);
  CHECK(ended->record.device_exit == protocol::ExitStatus(protocol::ExitCode{7}));
  CHECK(ended->record.vmm.pid == 0);
  CHECK(seen.console.empty());
}

TEST_CASE("shim device: one that never serves its socket is given up at its deadline and killed", "[host][shim]") {
  ShimFixture fixture;
  ShimSpec spec = with_device(fixture, "echo never", {"/bin/sh", "-c", "exec tail -f /dev/null"});
  spec.plan.device->deadline = std::chrono::milliseconds(100);
  const Seen seen = fixture.run_to_end(spec);
  const auto* ended = seen.find<Ended>();
  REQUIRE(ended);
  CHECK(ended->record.start_error == "/bin/sh: no socket " + spec.plan.device->socket + " within 100 ms");
  CHECK(test::ends(ended->record.device.pid));
}

TEST_CASE("shim device: a kill before the VMM runs ends the start", "[host][shim]") {
  ShimFixture fixture;
  REQUIRE(fixture.spawn(with_device(fixture, "echo never", {"/bin/sh", "-c", "exec tail -f /dev/null"})));
  const auto connection = fixture.attach();
  REQUIRE(connection);
  Seen seen;
  fixture.read(**connection, seen, [&seen] { return seen.find<Status>() != nullptr; });
  CHECK(seen.find<Status>()->phase == Phase::starting);
  REQUIRE((*connection)->kill_vmm(SIGKILL));
  fixture.read(**connection, seen);
  REQUIRE(seen.find<Ended>());
  CHECK(seen.find<Ended>()->record.start_error == "stopped before it ran");
}

}  // namespace vigil::shim
