#include "shared/protocol/codec.hpp"

#include "tests/unit/shared/protocol/samples.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <nlohmann/json.hpp>

namespace vigil::protocol {

using nlohmann::json;

namespace {

/// A service report's frame with one member of its body replaced.
std::string service_frame_with(const char* key, json value) {
  auto frame = json::parse(encode(samples::message(samples::service())));
  frame["body"][key] = std::move(value);
  return frame.dump();
}

std::string frame_without(const char* key) {
  auto frame = json::parse(encode(samples::message(samples::service())));
  frame.erase(key);
  return frame.dump();
}

const ReportBody& body_of(const Message& message) { return std::get<Report>(message.content).body; }

}  // namespace

TEST_CASE("codec: what is written out by hand is what json would write", "[shared][protocol]") {
  const auto boot = GENERATE(BootId(), BootId("11111111-2222-4333-8444-5555aaaabbbb"), BootId("a \"boot\"\n"));
  const auto content = GENERATE(decltype(Message::content)(Ack{7}), decltype(Message::content)(Ack{~Seq{0}}), decltype(Message::content)(Ping{1, 2, 0}),
                                decltype(Message::content)(Ping{~0ULL, 5, 1'700'000'000'000'000}));
  const Message message{boot, 3, content};
  const auto text = encode(message);
  CHECK(text == json::parse(text).dump());
  const auto frame = json::parse(text);
  CHECK(frame.size() == (boot.value().empty() ? 4U : 5U));
  CHECK(frame["epoch"] == 3);
  if (!boot.value().empty()) CHECK(frame["boot"] == boot.value());
  if (const auto* ack = std::get_if<Ack>(&content)) CHECK(frame["body"]["seq"] == std::min<std::uint64_t>(ack->seq, max_json_integer));
  if (const auto* ping = std::get_if<Ping>(&content)) {
    CHECK(frame["body"]["n"] == std::min<std::uint64_t>(ping->n, max_json_integer));
    CHECK(frame["body"].contains("wall_unix_us") == (ping->wall_unix_us != 0));
  }
}

TEST_CASE("codec: every report comes back as it was", "[shared][protocol]") {
  const auto body =
      GENERATE(ReportBody(StageReport{Stage::rootfs, StageReport::Phase::failed, "mount", samples::port_taken()}),
               ReportBody(samples::service()), ReportBody(samples::crash()),
               ReportBody(CrashTrace{"web-1", 0xffffffff81000000U, {{"/usr/bin/web", "ab12", "parse_header", 0x1234}}, true}),
               ReportBody(samples::trace_of_threads()), ReportBody(HealthReport{1000, 900, 800, 700, 120, 33, {samples::port_taken()}}),
               ReportBody(HealthReport{1000, 900, 800, 700, 120, 33, {}, 500, Pressure{1, 2, 3, 4, 5}, {{"/", 9, 8, 7, 6}},
                                       {{31, "httpd", "web", 250, 77}}, {{5, 2, "oops"}}, 1, -77}),
               ReportBody(NetReport{{{"web", "httpd", 31, "::", 8080}}, 2}),
               ReportBody(DroppedReport{"service", 4, 9, 5}), ReportBody(ByeReport{ByeReport::Kind::reboot, "host", true}),
               ReportBody(SigninReport{SigninSessionId("ss-1"), "codex", SigninReport::Step::url_found, "on the screen", "https://a.example/?state=x"}),
               ReportBody(SigninReport{SigninSessionId("ss-1"), "codex", SigninReport::Step::cli_started, "", "", "0.171.0"}),
               ReportBody(SigninReport{SigninSessionId("ss-1"), "codex", SigninReport::Step::credential_found, "", "", "",
                                       SigninCredential{"codex/1", std::string(64, 'a'), 9}}),
               ReportBody(SigninReport{SigninSessionId("ss-1"), "codex", SigninReport::Step::failed, "", "", "", {}, samples::port_taken(), "last \x1b[0m\xff"}),
               ReportBody(OtherReport{"receipt", R"({"bytes":7})"}));
  const auto message = samples::message(body);
  CAPTURE(encode(message));
  CHECK(decode(encode(message)).value() == message);
  CHECK(decode_body(report_type(body), encode_body(body)).value() == body);
}

TEST_CASE("codec: every message of the link comes back as it was", "[shared][protocol]") {
  const GuestConfig config{{{"web", R"({"env":{"A":"1"}})"}}, {{"LANG", "C"}}, {{"key", "value"}}, "vigil"};
  const Message message{samples::boot, 2,
                        GENERATE_COPY(decltype(Message::content)(Hello{{1, 2}, "0.1", "b1", "d1", "6.12", {"core"}, "init", 5, "t"}),
                                      decltype(Message::content)(Welcome{1, 2, "t", 99, config}), decltype(Message::content)(Ack{7}),
                                      decltype(Message::content)(Ping{1, 2}), decltype(Message::content)(Ping{1, 2, 3}), decltype(Message::content)(Pong{1, 2, 3}),
                                      decltype(Message::content)(Request{4, "shutdown", R"({"kind":"poweroff"})"}),
                                      decltype(Message::content)(Reply{4, false, "no such service", ""}))};
  CAPTURE(encode(message));
  CHECK(decode(encode(message)).value() == message);
}

TEST_CASE("codec: a negative port, a fraction and a too large number are errors that name the field", "[shared][protocol]") {
  CHECK(decode(service_frame_with("restarts", -1)).error().message() == "service: restarts: not in 0 to 4294967295");
  CHECK(decode(service_frame_with("restarts", 3.9)).error().message() == "service: restarts: not a whole number");
  CHECK(decode(service_frame_with("restarts", 4294967296)).has_error());
  CHECK(decode(service_frame_with("since_us", 1e300)).has_error());
  CHECK(decode(service_frame_with("probes", json::array({{{"probe", "tcp:1"}}}))).error().message() ==
        "service: probes[0]: passed: missing");
}

TEST_CASE("codec: a word that an enum does not have is kept with the whole report, never mapped to a neighbour", "[shared][protocol]") {
  const auto message = decode(service_frame_with("state", "levitating")).value();
  const auto& other = std::get<OtherReport>(body_of(message));
  CHECK(other.type == "service");
  CHECK(json::parse(other.json)["state"] == "levitating");
  CHECK(json::parse(encode(message)) == json::parse(service_frame_with("state", "levitating")));
}

TEST_CASE("codec: an unknown cause code is kept as text", "[shared][protocol]") {
  const auto cause = decode_cause(R"({"code":"service.future","fields":{"x":1},"evidence":["e"]})").value();
  CHECK(cause.code == CauseCode::unlisted);
  CHECK(cause.text == "service.future");
  CHECK(decode_cause(encode_cause(cause)).value() == cause);
}

TEST_CASE("codec: unknown fields are ignored and optional ones may be missing", "[shared][protocol]") {
  CHECK(decode(service_frame_with("colour", "blue")).value() == samples::message(samples::service()));
  const auto short_report = decode_body("service", R"({"name":"web","state":"ready"})").value();
  CHECK(std::get<ServiceReport>(short_report).essential);
}

TEST_CASE("codec: an unknown type is kept, numbered or not", "[shared][protocol]") {
  const auto text = R"({"v":1,"t":"telepathy","boot":"01234567-89ab-cdef-0123-456789abcdef","epoch":0,"body":{"a":[1]}})";
  const auto report = std::get<Report>(decode(text).value().content);
  CHECK(report.seq == 0);
  CHECK(report.body == ReportBody(OtherReport{"telepathy", R"({"a":[1]})"}));
}

TEST_CASE("codec: a report without number, boot or type, or of another version, is an error", "[shared][protocol]") {
  CHECK(decode(frame_without("seq")).error().message() == "service: seq: missing");
  CHECK(decode(frame_without("boot")).error().message() == "service: boot: missing");
  CHECK(decode(frame_without("body")).error().message() == "service: body: not an object");
  CHECK(decode(frame_without("t")).has_error());
  CHECK(decode(R"({"v":2,"t":"ack"})").error().code() == Errc::unsupported);
  CHECK(decode("[]").error().code() == Errc::invalid);
  CHECK(decode("{").error().code() == Errc::invalid);
}

TEST_CASE("codec: the host may speak before it knows the boot; the guest may not", "[shared][protocol]") {
  const Message ack{BootId(), 0, Ack{3}};
  CHECK(decode(encode(ack)).value() == ack);
  CHECK(decode(encode(Message{BootId(), 0, Hello{{1}, "", "", "", "", {}, "", 1, ""}})).error().message() == "hello: boot: missing");
}

TEST_CASE("codec: what is over a limit is cut by the sender, so that it decodes", "[shared][protocol]") {
  auto report = samples::crash();
  report.stdout_tail.assign(100'000, 'a');
  report.stdout_tail += "end";
  report.cause.evidence.assign(40, std::string(2000, '\xff'));
  report.cause.fields["note"] = std::string(5000, 'x');
  const auto message = decode(encode(samples::message(report))).value();
  const auto& cut = std::get<CrashReport>(body_of(message));
  CHECK(cut.stdout_tail.size() == 65'536);
  CHECK(cut.stdout_tail.ends_with("aend"));
  CHECK(cut.cause.evidence.size() == 16);
  CHECK(cut.cause.evidence[0].size() <= 512);
  CHECK(std::get<std::string>(cut.cause.fields.at("note")).size() == 1024);
}

TEST_CASE("codec: the receiver refuses what is over a limit", "[shared][protocol]") {
  json cause = {{"code", "unknown"}, {"evidence", std::vector<std::string>(17, "line")}};
  CHECK(decode_cause(cause.dump()).error().code() == Errc::limit);
  cause["evidence"] = {std::string(513, 'x')};
  CHECK(decode_cause(cause.dump()).error().code() == Errc::limit);
  cause = {{"code", "unknown"}, {"fields", {{"a", 1.5}}}};
  CHECK(decode_cause(cause.dump()).error().code() == Errc::invalid);
}

TEST_CASE("codec: a report that escaping would make too long for a frame is cut to its digest", "[shared][protocol]") {
  HealthReport report;
  Cause cause = samples::port_taken();
  cause.evidence.assign(16, std::string(512, '\x01'));
  report.causes.assign(32, cause);
  const auto text = encode(samples::message(report));
  CHECK(text.size() <= max_message_bytes);
  const auto message = decode(text).value();
  CHECK(std::get<HealthReport>(body_of(message)).causes.at(0).text == "service.port_taken");
}

TEST_CASE("codec: an exit is one of code, signal, unknown, and nothing else", "[shared][protocol]") {
  auto crash = json::parse(encode_body(samples::crash()));
  const auto exit = GENERATE(json::object(), json{{"signal", 0}}, json{{"signal", 200}}, json{{"code", "1"}}, json("SIGSEGV"));
  crash["exit"] = exit;
  CAPTURE(exit.dump());
  CHECK(decode_body("crash", crash.dump()).has_error());
}

TEST_CASE("codec: a number of 64 bits is capped, an address is not", "[shared][protocol]") {
  auto report = samples::crash();
  report.oom->limit_bytes = ~std::uint64_t{0};
  const auto crash = std::get<CrashReport>(decode_body("crash", encode_body(report)).value());
  CHECK(crash.oom->limit_bytes == (std::uint64_t{1} << 53) - 1);
  CrashTrace trace{"web-1", ~std::uint64_t{0}, {{"", "", "", ~std::uint64_t{0}}}, false};
  CHECK(decode_body("crash_trace", encode_body(trace)).value() == ReportBody(trace));
  CHECK(decode_body("crash_trace", R"({"crash":"a","fault_address":"12"})").has_error());
}

TEST_CASE("codec: a sign-in's address is of its step, whole, and leaves with the private members", "[shared][protocol]") {
  SigninReport report{SigninSessionId("ss-1"), "codex", SigninReport::Step::url_found, "", "https://a.example/?state=x"};
  CHECK(std::get<SigninReport>(without_private(report)).private_url.empty());
  CHECK(encode_digest(report).find("a.example") == std::string::npos);
  auto body = json::parse(encode_body(report));
  body["step"] = "waiting_for_user";
  CHECK(decode_body("signin", body.dump()).error().message() == "private_url: not of this step");
  report.private_url.append(5000, 'x');   // cut, it would be another address
  CHECK(std::get<SigninReport>(decode_body("signin", encode_body(report)).value()).private_url.empty());
}

TEST_CASE("codec: a step of a sign-in has what it is about, and a session's id is one", "[shared][protocol]") {
  const auto refused = [](const char* text) { return decode_body("signin", text).error().message(); };
  CHECK(refused(R"({"session":"ss-1","provider":"codex","step":"credential_found"})") == "credential: missing");
  CHECK(refused(R"({"session":"ss-1","provider":"codex","step":"failed"})") == "cause: missing");
  CHECK(refused(R"({"session":"ss-1","provider":"codex","step":"credential_found","credential":{"schema":"a","sha256":"XY","bytes":1}})").starts_with("credential.sha256"));
  CHECK(refused(R"({"session":"../x","provider":"codex","step":"failed"})").find("session's id") != std::string::npos);
  CHECK(refused(R"({"session":"a","provider":"codex","step":"cli_started","screen_b64":"*"})").starts_with("screen_b64"));
}

}  // namespace vigil::protocol
