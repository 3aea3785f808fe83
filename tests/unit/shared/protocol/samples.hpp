// Messages with every field set, for the tests of this folder.
#pragma once

#include "shared/protocol/codec.hpp"

namespace vigil::protocol::samples {

inline const BootId boot("01234567-89ab-cdef-0123-456789abcdef");

inline Cause port_taken() {
  return make_cause(CauseCode::service_port_taken, {{"port", std::int64_t{8080}}, {"holder", "squatter (pid 71)"}},
                    {"bind: Address already in use"});
}

inline ServiceReport service() {
  ServiceReport report;
  report.name = ServiceName("web");
  report.state = ServiceState::backoff;
  report.essential = false;
  report.pid = 93;
  report.restarts = 2;
  report.since_us = 5'120'000;
  report.probes = {{"http:8080", false, std::nullopt}, {"notify-fd", true, MonoUs{5'000'000}}};
  report.waits_for = {"db"};
  report.cause = port_taken();
  report.collapsed = 3;
  return report;
}

inline CrashReport crash() {
  CrashReport report;
  report.crash = "web-1";
  report.service = "web";
  report.process = "web-server";
  report.pid = 93;
  report.exit = ExitSignal{11, true};
  report.cause =
      make_cause(CauseCode::service_signalled, {{"signal", "SIGSEGV"}, {"function", "parse_header"}}, {"last words: bad header"});
  report.started_us = 1'000'000;
  report.ended_us = 5'000'000;
  report.user_us = 70'000;
  report.system_us = 20'000;
  report.max_rss_kib = 4096;
  report.restarts = 2;
  report.will_restart = true;
  report.stdout_tail = std::string("out\0\xff", 5);
  report.stderr_tail = "last words: bad header\n";
  report.stdout_lost = 7;
  report.stderr_lost = 9;
  report.oom = OomEvidence{67'108'864, 67'104'768, "web-server (pid 93)", 1};
  report.victim = VictimFacts{"/usr/bin/web", "web --port 80", "/srv", 33, 34, 4, 12, 77, 2048, 4096};
  report.origin = std::pair(boot, Seq{12});
  return report;
}

inline CrashTrace trace_of_threads() {
  CrashTrace trace;
  trace.crash = "web-1";
  trace.fault_address = 0x10;
  trace.frames = {{"", "", "", 0xffffffffff600000U}, {"/usr/bin/web", "ab12", "parse_header", 0x1234}};
  trace.truncated = true;
  trace.reason = "SEGV_MAPERR";
  trace.tid = 93;
  trace.thread = "web-server";
  trace.cut = "there are more than 64 frames";
  trace.threads = {{94, "worker", {{"/usr/lib/libc.so.6", "cd34", "", 0x99}}, "the time was up"}, {95, "", {}, ""}};
  trace.threads_left_out = 3;
  return trace;
}

inline Report report(ReportBody body) { return Report{boot, 0, 17, 5'200'000, std::move(body)}; }
inline Message message(ReportBody body) { return Message{boot, 0, report(std::move(body))}; }

}  // namespace vigil::protocol::samples
