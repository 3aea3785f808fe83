#include "host/machine/event_codec.hpp"
#include "host/machine/instance_spec.hpp"
#include "tests/unit/host/machine/story.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>

namespace vigil::machine {

using namespace vigil::machine::test;

namespace {

std::vector<EventBody> one_of_each() {
  const auto cause = make_cause(CauseCode::service_port_taken, {{"port", std::int64_t{80}}, {"holder", "nginx"}}, {"ss -ltn"});
  auto finding = make_finding(ConsoleKind::oom_kill, "Out of memory: Killed process 7 (x)", {{"pid", "7"}});
  finding.lines = {"a", "b"};
  auto spec = make_spec();
  spec.services["web"] = R"({"essential":false})";
  spec.labels["a"] = "b";
  spec.deadlines_ms[Stage::agent] = std::chrono::milliseconds(7);
  CrashReport crash;
  crash.crash = "web-1";
  crash.cause = cause;
  crash.stderr_tail = std::string("\0\xff raw", 6);
  return {Created{spec},
          StartRequested{"a", Accelerator::tcg},
          StartRequested{"a", {}},
          VmmStarted{Accelerator::kvm, "why", "qemu", "7.2", 1, 2, 3, 4},
          StartFailed{cause},
          LinkUp{boot_id, 1, "init", "0.1", "b", "d", "6.12", 9},
          LinkLost{"gone", cause},
          LinkLost{"gone", {}},
          LinkRefused{"no token"},
          EgressRefused{make_cause(CauseCode::egress_denied, {{"host", "example.test:443"}}), 3},
          ClockSynced{-5, 6},
          finding,
          make_report(3, make_service("web", ServiceState::failed, cause)),
          make_report(4, crash, Channel::console),
          make_report(5, OtherReport{"receipt", R"({"a":[1,2]})"}),
          DeadlinePassed{"stage:kernel"},
          StopRequested{StopKind::reboot, std::chrono::milliseconds(1500), "a"},
          VmmExited{ExitSignal{11, true}, "guest-reset", 1, 2, 3, 4, {"qemu: out of luck", "bye"}},
          VmmExited{ExitUnknown{"lost"}, "", 0, 0, 0, 0},
          DeviceExited{"vhost-device-vsock", ExitCode{-1}},
          VmmHalted{true},
          ShimLost{"x"},
          Adopted{77},
          StateChanged{RunState::failed, Power::running, Liveness::suspect, Outcome::failed, cause, "web"},
          StateChanged{},
          PulseTaken{false, 3, 15'000, 16'000, 8'000, 7'900, 10, "S", "T", 7, "running", 3, "CPU 0 at ffff, interrupts off"},
          PulseTaken{.answers = true},
          Removed{"a"},
          Reconciled{"process", "pid 7 (VMM of vm-0)", "ended", "no row"},
          RestartsEnded{10, RunNumber(3)},
          HoldSet{"alice", 1'800'000'000'000'000, "uid 1000"},
          LeaseSet{1'800'000'000'000'000, "uid 0"},
          PolicyPaused{1'800'000'000'000'000, "uid 0"},
          PolicyDecided{"idle", "stop", "held", "nobody has used it for 1800 s, but hold alice needs it", 1'800'000'000'000'000,
                        {{"idle_s", 1800}}, {{"idle_s", 1800}}, {"hold alice"}},
          TokenBound{boot_id, std::string(64, 'c')},
          ReportRepeated{boot_id, 1, 5, BootId("ffffffff-0000-4000-8000-000000000002"), 3}};
}

}  // namespace

TEST_CASE("event codec: every body comes back as it was", "[host][machine]") {
  const auto bodies = one_of_each();
  const auto index = GENERATE_COPY(range(std::size_t{0}, bodies.size()));
  const auto event = make_event(7, 12, bodies[index]);
  const auto decoded = decode_event(encode_event(event));
  REQUIRE(decoded.has_value());
  CHECK(*decoded == event);
}

TEST_CASE("event codec: a report keeps its own type, and its body is the report's with one more member", "[host][machine]") {
  const auto encoded = encode_event(make_event(7, 12, make_report(3, make_service("web", ServiceState::ready))));
  CHECK(encoded.type == "service");
  CHECK(encoded.body.find(R"("name":"web")") != std::string::npos);
  CHECK(encoded.body.find(R"("report":{)") != std::string::npos);
  const auto json = event_json(encoded);
  CHECK(json.starts_with(R"({"seq":7,"instance":"vm-0123456789","run":1,"type":"service","at_unix_us":)"));
  CHECK(json.ends_with(encoded.body + "}"));
}

TEST_CASE("event codec: a guest cannot write the host's events", "[host][machine]") {
  const auto* const type = GENERATE("vmm_exited", "removed", "state", "created", "other", "");
  const auto event = make_event(7, 12, make_report(3, OtherReport{type, R"({"actor":"root"})"}));
  const auto encoded = encode_event(event);
  CHECK(encoded.type == "other");
  const auto decoded = decode_event(encoded);
  REQUIRE(decoded.has_value());
  CHECK(*decoded == event);
}

TEST_CASE("event codec: an unknown report that is no JSON object is kept", "[host][machine]") {
  const auto* const text = GENERATE("[1]", "\"x\"", "{}", R"({"report":1})");
  const auto event = make_event(7, 12, make_report(3, OtherReport{"newer", text}));
  const auto decoded = decode_event(encode_event(event));
  REQUIRE(decoded.has_value());
  CHECK(*decoded == event);
}

TEST_CASE("event codec: the address of a sign-in is neither shown nor kept", "[host][machine]") {
  SigninReport signin;
  signin.session = SigninSessionId("ss-1");
  signin.provider = "codex";
  signin.step = SigninReport::Step::url_found;
  signin.private_url = "https://example.org/authorize?state=canary";
  Reported reported;
  reported.report.body = signin;
  const auto encoded = encode_event(VmEvent{.seq = 7, .instance = InstanceId("vm-0"), .run = RunNumber(1), .at_unix_us = 1, .mono_us = 1, .body = reported});
  REQUIRE(event_json(encoded).find("canary") != std::string::npos);
  CHECK(shown_event_json(encoded).find("canary") == std::string::npos);
  CHECK(shown_event_json(encoded).find("url_found") != std::string::npos);
  CHECK(kept_body(encoded).find("canary") == std::string::npos);
  CHECK(kept_body(encoded).find("url_found") != std::string::npos);
  auto damaged = encoded;
  damaged.body = "{\"private_url\":\"canary\"";
  CHECK(shown_event_json(damaged).find("canary") == std::string::npos);
}

TEST_CASE("event codec: what cannot be read is an error that names the event", "[host][machine]") {
  EncodedEvent encoded = encode_event(make_event(7, 12, VmmExited{ExitCode{0}, "", 0, 0, 0, 0}));
  encoded.body = R"({"exit":5})";
  CHECK(decode_event(encoded).error().message() == "event 7 (vmm_exited): exit: not an object");
  encoded.type = "of_a_newer_version";
  encoded.body = "{}";
  CHECK(decode_event(encoded).error().code() == Errc::unsupported);
}

TEST_CASE("spec: a create body is checked member by member", "[host][machine]") {
  const auto minimal = parse_spec(R"({"image":"minimal"})");
  REQUIRE(minimal.has_value());
  CHECK(minimal->image_name == "minimal");
  CHECK(minimal->image_digest.empty());
  CHECK(minimal->memory_mib == 256);
  const auto pinned = parse_spec(R"({"name":"a","image":"minimal@abc123","vcpus":2,"restart":"on-failure","deadlines_ms":{"kernel":500}})");
  REQUIRE(pinned.has_value());
  CHECK(pinned->image_digest == "abc123");
  CHECK(pinned->restart == RestartPolicy::on_failure);
  CHECK(pinned->disk_mib == 1024);
  const auto without_disk = parse_spec(R"({"image":"minimal","disk_mib":0})");
  REQUIRE(without_disk.has_value());
  CHECK(without_disk->disk_mib == 0);
  CHECK(pinned->deadlines_ms.at(Stage::kernel) == std::chrono::milliseconds(500));
}

TEST_CASE("spec: what is wrong is named", "[host][machine]") {
  const auto [body, word] = GENERATE(table<std::string, std::string>({
      {R"({"image":"minimal","vcpu":2})", "vcpu"},
      {R"({"image":"minimal","vcpus":"2"})", "vcpus"},
      {R"({"image":"minimal","vcpus":0})", "vcpus"},
      {R"({"image":"minimal","memory_mib":-1})", "memory_mib"},
      {R"({"image":"minimal","disk_mib":15})", "disk_mib: 15 is less than 16; 0 is for none"},
      {R"({"image":"../x"})", "image"},
      {R"({"image":"minimal@xyz"})", "image"},
      {R"({})", "image"},
      {R"({"image":"minimal","name":"A B"})", ""},
      {R"({"image":"minimal","restart":"maybe"})", "restart"},
      {R"({"image":"minimal","services":{"web":5}})", "services.web"},
      {R"({"image":"minimal","env":{"A":5}})", "env.A"},
      {R"({"image":"minimal","deadlines_ms":{"nap":5}})", "nap"},
      {R"({"image":"minimal","kernel_args":"a\nb"})", "kernel_args"},
      {R"([])", "object"},
      {R"({"image":)", ""},
  }));
  INFO(body);
  const auto spec = parse_spec(body);
  REQUIRE_FALSE(spec.has_value());
  CHECK(spec.error().message().find(word) != std::string::npos);
}

TEST_CASE("spec: the values of secrets do not leave through its text", "[host][machine]") {
  auto spec = make_spec();
  spec.secrets["token"] = "canary-4711";
  const auto text = encode_spec(spec);
  CHECK(text.find("canary-4711") == std::string::npos);
  const auto back = parse_spec(text);
  REQUIRE(back.has_value());
  CHECK(back->secrets == std::map<std::string, std::string>{{"token", ""}});
}

}  // namespace vigil::machine
