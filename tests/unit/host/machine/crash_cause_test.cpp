#include "host/machine/crash_cause.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::machine {

using namespace vigil::protocol;

namespace {

CrashRecord killed_by(const char* signal, std::vector<TraceFrame> frames) {
  CrashRecord crash;
  crash.report.crash = "web-1";
  crash.report.service = "web";
  crash.report.cause = make_cause(CauseCode::service_signalled, {{"signal", signal}});
  crash.trace.emplace();
  crash.trace->frames = std::move(frames);
  return crash;
}

TraceFrame frame(const char* module, const char* function, std::uint64_t offset = 0x10) { return {module, "ab", function, offset}; }

}  // namespace

TEST_CASE("crash cause: the trace names the function, past the runtime that stopped the program", "[host][machine]") {
  const auto crash = killed_by("SIGABRT", {frame("/lib/libc.so.6", ""), frame("/lib/libc.so.6", "abort"), frame("/usr/bin/web", "give_up"),
                                           frame("/usr/bin/web", "main")});
  CHECK(field_text(cause_of(crash), "function") == "give_up");
  CHECK(sentence(cause_of(crash)) == "it was killed by SIGABRT in give_up");
  const auto of_static = killed_by("SIGABRT", {frame("/bin/tool", "raise"), frame("/bin/tool", "abort"),
                                               frame("/bin/tool", "std::terminate()"), frame("/bin/tool", "work")});
  CHECK(field_text(cause_of(of_static), "function") == "work");
}

TEST_CASE("crash cause: without a symbol of the program, or without a trace, the cause stays as it was", "[host][machine]") {
  const auto bare = killed_by("SIGSEGV", {frame("/usr/bin/web", ""), frame("/lib/libc.so.6", "abort")});
  CHECK(cause_of(bare) == bare.report.cause);
  CHECK(sentence(cause_of(bare)) == "it was killed by SIGSEGV");
  auto untraced = bare;
  untraced.trace.reset();
  CHECK(cause_of(untraced) == untraced.report.cause);
  auto other = killed_by("SIGABRT", {frame("/usr/bin/web", "bind_or_die")});
  other.report.cause = make_cause(CauseCode::service_port_taken);
  CHECK(cause_of(other) == other.report.cause);
}

TEST_CASE("crash cause: a service's own cause takes the function of its last death by that signal", "[host][machine]") {
  Run run;
  run.crashes = {killed_by("SIGSEGV", {frame("/usr/bin/web", "first")}), killed_by("SIGSEGV", {frame("/usr/bin/web", "second")})};
  ServiceRecord service;
  service.report.name = ServiceName("web");
  CHECK_FALSE(cause_of(run, service).has_value());
  service.report.cause = make_cause(CauseCode::service_signalled, {{"signal", "SIGSEGV"}});
  CHECK(field_text(*cause_of(run, service), "function") == "second");
  service.report.cause = make_cause(CauseCode::service_signalled, {{"signal", "SIGBUS"}});
  CHECK_FALSE(field_text(*cause_of(run, service), "function").has_value());
  service.report.name = ServiceName("db");
  CHECK(cause_of(run, service) == service.report.cause);
}

TEST_CASE("crash cause: the trace as lines, with the end of what was cut off", "[host][machine]") {
  CrashTrace trace;
  trace.frames = {frame("", "", 0), frame("/usr/bin/web", "parse", 0x1a2b), frame("libc.so.6", "", 0x77)};
  trace.cut = "the time was up";
  CHECK(trace_lines(trace, 8) ==
        std::vector<std::string>{"#0 0x0", "#1 parse (web+0x1a2b)", "#2 libc.so.6+0x77", "the trace is cut off here: the time was up"});
  CHECK(trace_lines(trace, 2) == std::vector<std::string>{"#0 0x0", "#1 parse (web+0x1a2b)"});
}

}  // namespace vigil::machine
