#include "guest/console/boot_report.hpp"
#include "guest/console/console_port.hpp"

#include "shared/console/record.hpp"

#include <catch2/catch_test_macros.hpp>

#include <unistd.h>

#include <string>

namespace vigil::guest::console {

using vigil::guest::console::boot_report;
using vigil::guest::console::BootSummary;
using vigil::guest::console::ConsolePort;
using vigil::guest::console::next_piece;
using vigil::guest::console::Route;

namespace {

const BootId printed_boot("01234567-89ab-cdef-0123-456789abcdef");

std::string written(int fd) {
  char bytes[8192];
  const ssize_t count = ::read(fd, bytes, sizeof bytes);
  return count > 0 ? std::string(bytes, static_cast<std::size_t>(count)) : "";
}

}  // namespace

TEST_CASE("console: a digest comes out as records that the host's scanner finds", "[guest][console]") {
  for (const Route route : {Route::plain, Route::kernel_log}) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const UniqueFd read_end(ends[0]);
    ConsolePort port(UniqueFd(ends[1]), route);
    port.print_digest(printed_boot, 42, R"({"t":"stage"})");
    const std::string text = written(read_end.get());
    if (route == Route::kernel_log) {
      REQUIRE(text.starts_with("<3>@V1 "));
      REQUIRE(text.find('\n') == text.size() - 1);   // the kernel holds back a record that does not end its line
    }
    vigil::console::ConsoleScanner scanner;
    const auto found = scanner.feed("[    1.000000] " + text + "\n");
    REQUIRE(found.digests.size() == 1);
    REQUIRE(found.digests[0].seq == 42);
    REQUIRE(found.digests[0].json == R"({"t":"stage"})");
  }
}

TEST_CASE("console: long texts are cut at line ends into pieces that the kernel's log takes", "[guest][console]") {
  const std::string text = "first line\nsecond line\nthird\n";
  std::string_view rest = text;
  REQUIRE(next_piece(rest, 25) == "first line\nsecond line\n");
  REQUIRE(next_piece(rest, 25) == "third\n");
  REQUIRE(rest.empty());
  std::string_view unbroken = "aaaaaaaaaa";
  REQUIRE(next_piece(unbroken, 4) == "aaaa");
}

TEST_CASE("console: a port without a descriptor prints nothing, a full one counts what it lost", "[guest][console]") {
  ConsolePort nothing;
  nothing.print_digest(printed_boot, 1, "{}");
  nothing.print_text("text\n");
  REQUIRE(nothing.lost() == 0);
  ConsolePort full = ConsolePort::open_plain("/dev/full");
  full.print_text("text\n");
  REQUIRE(full.lost() == 1);
}

TEST_CASE("boot report: says what is ready, what is not, and why", "[guest][console]") {
  protocol::ServiceReport web;
  web.name = ServiceName("web");
  web.state = protocol::ServiceState::ready;
  web.pid = 88;
  web.probes = {{"tcp:8080", true, 3'250'000}};
  protocol::ServiceReport echo;
  echo.name = ServiceName("echo");
  echo.state = protocol::ServiceState::failed;
  echo.essential = false;
  echo.probes = {{"tcp:7000", false, {}}};
  echo.cause = protocol::make_cause(protocol::CauseCode::service_missing_binary, {{"path", "/usr/bin/echod"}});

  const auto ready = boot_report({true, 3'500'000, "up", {web, echo}, {}});
  REQUIRE(ready.starts_with("vigil: ready after 3.500 s, link up, 2 services\n"));
  REQUIRE(ready.find("tcp:8080 at 3.250 s") != std::string::npos);
  REQUIRE(ready.find("tcp:7000 not passed (optional)") != std::string::npos);
  REQUIRE(ready.find("service.missing_binary: the program /usr/bin/echod does not exist") != std::string::npos);

  const auto failed = boot_report({false, 1'000'000, "down: no driver", {},
                                   protocol::make_cause(protocol::CauseCode::boot_root_missing, {{"device", "vigil-root"}, {"seen", "vda"}})});
  REQUIRE(failed.starts_with("vigil: not ready after 1.000 s, link down: no driver, 0 services\n"));
  REQUIRE(failed.find("boot.root_missing: the root disk vigil-root is not there; block devices seen: vda") != std::string::npos);
  REQUIRE(failed.find("advice: ") != std::string::npos);
}

}  // namespace vigil::guest::console
