// Spec, records and wire come back as they went, and what cannot be is refused with its key.
#include "host/shim/inherited.hpp"
#include "host/shim/shim_spec.hpp"
#include "host/shim/shim_wire.hpp"
#include "shared/framing/frame.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <fstream>

namespace vigil::shim {

namespace {

ShimSpec full_spec() {
  ShimSpec spec;
  spec.instance = InstanceId("vm-0123456789");
  spec.run = RunNumber(7);
  spec.run_dir = "/run/vigil/vm-0123456789";
  spec.log_dir = "/var/lib/vigil/instances/vm-0123456789/runs/7";
  spec.plan.argv = {"/usr/bin/qemu-system-x86_64", "-append", "console=ttyS0 \"quoted\" \\"};
  spec.plan.files = {{"/img/root.ext4", vmm::Access::read_only, 4}, {"/disk.raw", vmm::Access::read_write, 5}};
  spec.plan.listeners = {{"/run/vigil/vm-0123456789/qmp.sock", 3}};
  spec.plan.device = vmm::DevicePlan{{"/usr/bin/vhost-device-vsock", "--guest-cid", "3"}, "/run/vhost.sock", std::chrono::milliseconds(750)};
  spec.plan.control_socket = "/run/vigil/vm-0123456789/qmp.sock";
  spec.doors = {{"/run/vigil/vm-0123456789/vsock_5252", 5252}};
  spec.dial_path = "/run/vigil/vm-0123456789/vsock";
  spec.credentials = Credentials{200001, 200002, {104, 105}};
  spec.console = {1, 2};
  spec.vmm_log = {3, 4};
  return spec;
}

ExitRecord full_record() {
  ExitRecord record;
  record.instance = InstanceId("vm-0123456789");
  record.run = RunNumber(2);
  record.host_boot_id = "11111111-2222-3333-4444-555555555555";
  record.shim = {10, 1000};
  record.vmm = {11, 1001};
  record.device = {12, 1002};
  record.exit = protocol::ExitSignal{11, true};
  record.device_exit = protocol::ExitCode{-1};
  record.host_oom = true;
  record.started_unix_us = 1'700'000'000'000'000;
  record.ended_unix_us = 1'700'000'001'000'000;
  record.usage = {1, 2, 3};
  record.console_bytes = 4;
  record.console_gap_bytes = 5;
  record.console_lost_bytes = 6;
  record.log_tail = "qemu: \"oops\"\n";
  return record;
}

std::string payload_of(const std::string& frame) {
  framing::FrameReader reader;
  reader.feed(frame);
  const auto payload = reader.next();
  REQUIRE(payload);
  REQUIRE(payload->has_value());
  return **payload;
}

}  // namespace

TEST_CASE("shim spec: comes back as it went", "[host][shim]") {
  const auto parsed = parse_shim_spec(encode_shim_spec(full_spec()));
  REQUIRE(parsed);
  CHECK(*parsed == full_spec());

  ShimSpec bare = full_spec();
  bare.credentials.reset();
  bare.plan.device.reset();
  bare.plan.console_fd = 9;
  CHECK(*parse_shim_spec(encode_shim_spec(bare)) == bare);
}

TEST_CASE("shim spec: what cannot be is refused with its key", "[host][shim]") {
  const auto [from, to, key] = GENERATE(table<std::string, std::string, std::string>({
      {"\"run\":7", "\"run\":0", "run"},
      {"\"argv\":[\"/usr/bin/qemu-system-x86_64\"", "\"argv\":[5", "argv"},
      {"\"fd\":5", "\"fd\":1", "fd"},
      {"read_write", "read_writ", "access"},
      {"\"uid\":200001", "\"uid\":0", "uid"},
      {"vm-0123456789\",\"log_dir", "vm\",\"log_dir", "instance"},
  }));
  std::string text = encode_shim_spec(full_spec());
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
  const auto parsed = parse_shim_spec(text);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().message().find(key) != std::string::npos);
}

TEST_CASE("exit record: is written atomically and comes back as it went", "[host][shim]") {
  const test::TemporaryDirectory directory;
  const std::string path = (directory.path() / "exit.json").string();
  CHECK(read_exit_record(path).error().code() == Errc::not_found);
  REQUIRE(write_exit_record(path, full_record()));
  const auto read = read_exit_record(path);
  REQUIRE(read);
  CHECK(*read == full_record());
  CHECK_FALSE(std::filesystem::exists(path + ".new"));

  ExitRecord never = full_record();
  never.exit = protocol::ExitUnknown{"never started"};
  never.device_exit.reset();
  never.start_error = "open /disk.raw: No such file or directory";
  REQUIRE(write_exit_record(path, never));   // replaces the first
  CHECK(*read_exit_record(path) == never);

  std::ofstream(path) << "{\"format\":1";
  CHECK(read_exit_record(path).error().code() == Errc::invalid);
}

TEST_CASE("shim wire: events and commands come back as they went", "[host][shim]") {
  const std::string guest_bytes("\0\xff\n\x1b[2J", 7);
  const std::vector<ShimEvent> events = {
      Status{InstanceId("vm-0123456789"), RunNumber(3), Phase::running, {1, 2}, {3, 4}, {0, 0}, 99},
      VmmStarted{{5, 6}, {7, 8}, 123},
      ConsoleBytes{(1ULL << 52) + 5, guest_bytes},
      ConsoleLost{1 << 20, 77},
      DeviceExited{protocol::ExitSignal{9, false}, 5},
      VmmHalted{true},
      VmmHalted{false},
      Status{InstanceId("vm-0123456789"), RunNumber(3), Phase::starting, {1, 2}, {0, 0}, {0, 0}, 0, true},
      Status{InstanceId("vm-0123456789"), RunNumber(3), Phase::running, {1, 2}, {0, 0}, {0, 0}, 0, false, true},
      Dialled{5252},
      Answered{7, true, ""},
      Answered{8, false, "the vsock device refuses: NO"},
      Ended{full_record()},
  };
  for (const ShimEvent& event : events) {
    const auto parsed = parse_event(payload_of(frame_of(event)));
    REQUIRE(parsed);
    CHECK(*parsed == event);
  }
  for (const Command& command : {Command(Attach{42}), Command(Attach{42, true}), Command(AskStatus{}), Command(Kill{15}), Command(Dial{9, 5253})}) {
    const auto parsed = parse_command(payload_of(frame_of(command)));
    REQUIRE(parsed);
    CHECK(*parsed == command);
  }
}

TEST_CASE("shim wire: a shim of an older version has no doors, and a daemon of one wants nobody who dials", "[host][shim]") {
  const auto status = parse_event(
      R"(J{"event":"status","instance":"vm-0123456789","run":3,"phase":"running","shim":{"pid":1,"start_ticks":2},"vmm":{"pid":3,"start_ticks":4},"device":{"pid":0,"start_ticks":0},"console_bytes":9})");
  REQUIRE(status);
  CHECK_FALSE(std::get<Status>(*status).has_doors);
  CHECK_FALSE(std::get<Status>(*status).dials);
  ShimSpec spec;
  spec.instance = InstanceId("vm-0123456789");
  spec.run = RunNumber(3);
  spec.plan.argv = {"/bin/true"};
  auto text = encode_shim_spec(spec);
  for (const std::string_view later : {"\"doors\":[],", "\"dial_path\":\"\","}) {
    REQUIRE(text.find(later) != std::string::npos);
    text.erase(text.find(later), later.size());
  }
  const auto started = parse_shim_spec(text);
  REQUIRE(started);
  CHECK(*started == spec);
  const auto attach = parse_command(R"(J{"op":"attach","console_offset":7})");
  REQUIRE(attach);
  CHECK(*attach == Command(Attach{7, false}));
}

TEST_CASE("shim wire: what cannot be is a protocol error", "[host][shim]") {
  const std::string text = GENERATE(std::string(""), std::string("X"), std::string("C1234"), std::string("J"), std::string("J[]"), std::string("J{}"),
                                    std::string("J{\"event\":\"explode\"}"), std::string("J{\"event\":\"ended\"}"),
                                    std::string("J{\"event\":\"console_lost\",\"offset\":-1,\"bytes\":1}"));
  const auto parsed = parse_event(text);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code() == Errc::protocol);
  CHECK_FALSE(parse_command(text));
  CHECK_FALSE(parse_command("J{\"op\":\"kill\",\"signal\":65}"));
}

TEST_CASE("birth report: an identity, an error with its class, or silence", "[host][shim]") {
  const ProcessIdentity self{123, 456};
  CHECK(*parse_birth(encode_birth(self)) == self);
  const auto refused = parse_birth(encode_birth(Error(Errc::conflict, "in use")));
  CHECK(refused.error() == Error(Errc::conflict, "vigil-shim: in use"));
  CHECK(parse_birth("").error().code() == Errc::unavailable);
}

}  // namespace vigil::shim
