#include "guest/evidence/output_patterns.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace vigil::guest::evidence {
namespace {

using protocol::CauseCode;

TEST_CASE("output patterns: each kind of complaint is understood", "[guest][evidence]") {
  struct Row { const char* line; CauseCode code; const char* subject; };
  const Row row = GENERATE(
      Row{"a.out: error while loading shared libraries: libpq.so.5: cannot open shared object file: No such file", CauseCode::service_missing_library, "libpq.so.5"},
      Row{"Error loading shared library libssl.so.3: No such file or directory (needed by /x)", CauseCode::service_missing_library, "libssl.so.3"},
      Row{"Error: Cannot find module 'express'", CauseCode::service_missing_module, "express"},
      Row{"Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'ws' imported from /srv/a.mjs", CauseCode::service_missing_module, "ws"},
      Row{"ImportError: No module named yaml", CauseCode::service_missing_module, "yaml"},
      Row{"Can't locate Foo/Bar.pm in @INC (you may need to install Foo::Bar)", CauseCode::service_missing_module, "Foo/Bar.pm"},
      Row{"/usr/bin/x.rb:1:in `require': cannot load such file -- sinatra (LoadError)", CauseCode::service_missing_module, "sinatra"},
      Row{"Error: listen EADDRINUSE: address already in use :::3000", CauseCode::service_port_taken, "3000"},
      Row{"nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)", CauseCode::service_port_taken, "80"},
      Row{"OSError: [Errno 98] Address already in use", CauseCode::service_port_taken, ""},
      Row{"2026/11/22 03:04:05 socat[12] E bind(5, {AF=2 0.0.0.0:8080}, 16): Address already in use", CauseCode::service_port_taken, "8080"},
      Row{"2026/11/22 03:04:05 [emerg] bind failed: Address already in use", CauseCode::service_port_taken, ""},
      Row{"listen tcp 127.0.0.1:9090: bind: address already in use", CauseCode::service_port_taken, "9090"},
      Row{"error while attempting to bind on address ('0.0.0.0', 8888): address already in use", CauseCode::service_port_taken, "8888"},
      Row{"could not listen on port 5432: Address already in use", CauseCode::service_port_taken, "5432"},
      Row{"If this server is no longer running, remove /tmp/.X1-lock", CauseCode::service_lock_stale, "/tmp/.X1-lock"},
      Row{"2026/11/26 15:14:25 socat[132] E \"/run/x.sock\" exists", CauseCode::service_lock_stale, "/run/x.sock"},
      Row{"FATAL:  lock file \"postmaster.pid\" already exists", CauseCode::service_lock_stale, "postmaster.pid"},
      Row{"bash: line 1: gunicorn: command not found", CauseCode::service_missing_binary, "gunicorn"},
      Row{"sh: 1: nosuch: not found", CauseCode::service_missing_binary, "nosuch"},
      Row{"/bin/sh: 1: exec: /opt/run.sh: Permission denied", CauseCode::service_not_executable, "/opt/run.sh"},
      Row{"bash: line 3: ./tool: Permission denied", CauseCode::service_not_executable, "./tool"},
      Row{"/usr/bin/env: 'python9': No such file or directory", CauseCode::service_missing_binary, "python9"});
  INFO(row.line);
  const auto finding = find_in_output(std::string("starting\n") + row.line + "\nbye\n");
  REQUIRE(finding);
  CHECK(finding->code == row.code);
  CHECK(finding->subject == row.subject);
  CHECK(finding->line == row.line);
}

TEST_CASE("output patterns: ordinary lines say nothing", "[guest][evidence]") {
  for (const char* line : {"", "listening on :8080", "404 page not found in cache", "cat: 'x y': No such file or directory",
                           "config file not found", "error while loading shared libraries: "})
    CHECK_FALSE(find_in_output(line));
}

TEST_CASE("output patterns: the newest complaint counts", "[guest][evidence]") {
  const auto finding = find_in_output("No module named 'a'\nNo module named 'b'\n");
  REQUIRE(finding);
  CHECK(finding->subject == "b");
}

TEST_CASE("output patterns: the path in a line about a socket or a lock", "[guest][evidence]") {
  CHECK(path_in_line("socat[12] E bind(5, {AF=1 \"/run/a b/x.sock\"}, 18): Address already in use") == "/run/a b/x.sock");
  CHECK(path_in_line("nginx: [emerg] bind() to unix:/run/x.sock failed (98: Address already in use)") == "/run/x.sock");
  CHECK(path_in_line("Error: listen EADDRINUSE: address already in use /tmp/x.sock") == "/tmp/x.sock");
  CHECK_FALSE(path_in_line("bind 0.0.0.0:8080: in use"));
  CHECK_FALSE(path_in_line("and/or"));
  CHECK_FALSE(path_in_line("/"));
}

TEST_CASE("output patterns: ports are ports, times and oversized numbers are not", "[guest][evidence]") {
  CHECK(port_in_line("bind 0.0.0.0:443") == 443);
  CHECK(port_in_line("[::]:8443: in use") == 8443);
  CHECK_FALSE(port_in_line("at 12:30:59 it failed"));
  CHECK_FALSE(port_in_line("0.0.0.0:70000"));
  CHECK_FALSE(port_in_line(":0"));
  CHECK_FALSE(port_in_line(": : :"));
  CHECK_FALSE(port_in_line(""));
}

TEST_CASE("output patterns: evidence is the last lines that say something, safe to show and cut", "[guest][evidence]") {
  CHECK(last_lines("one\n\ntwo\r\n   \nthree", 2) == std::vector<std::string>{"two", "three"});
  CHECK(last_lines("", 3).empty());
  CHECK(last_lines("\x1b[31mred\n", 1).front().find('\x1b') == std::string::npos);
  CHECK(last_lines(std::string(5000, 'a'), 1).front().size() <= 512);
  CHECK(last_lines(std::string(5000, '\xff'), 1).front().size() <= 512);
}

}  // namespace
}  // namespace vigil::guest::evidence
