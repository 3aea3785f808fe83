#include "guest/config/agent_options.hpp"
#include "guest/config/build_identity.hpp"
#include "guest/config/kernel_command_line.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::guest::config {

TEST_CASE("kernel command line: what the host says, the rest is the kernel's", "[guest][config]") {
  const auto line = parse_kernel_command_line(
      "console=ttyS0,115200 reboot=t vigil.vm=vm-0123456789 vigil.image=abc vigil.accel=tcg vigil.root=my-root vigil.overlay=\"my disk\" ro\n");
  REQUIRE(line.vm == "vm-0123456789");
  REQUIRE(line.image == "abc");
  REQUIRE(line.accelerator == protocol::Accelerator::tcg);
  REQUIRE(line.root_serial == "my-root");
  REQUIRE(line.overlay_serial == "my disk");
  REQUIRE(line.problems.empty());
  REQUIRE(line.power_off == PowerOff::acpi);
  REQUIRE(parse_kernel_command_line("vigil.poweroff=reset").power_off == PowerOff::reset);
}

TEST_CASE("kernel command line: a VM may have no disk to write on", "[guest][config]") {
  REQUIRE(parse_kernel_command_line("vigil.overlay=memory").overlay_serial == overlay_in_memory);
  REQUIRE(parse_kernel_command_line("").overlay_serial != overlay_in_memory);
}

TEST_CASE("kernel command line: defaults without ours, the last of two wins, nonsense is noted", "[guest][config]") {
  const auto bare = parse_kernel_command_line("console=ttyS0 vigilant.vm=1");
  REQUIRE(bare.vm.empty());
  REQUIRE(bare.root_serial == "vigil-root");
  REQUIRE(parse_kernel_command_line("vigil.vm=a vigil.vm=b").vm == "b");
  REQUIRE(parse_kernel_command_line("vigil.accel=warp vigil.x=1 vigil.vm vigil.root= vigil.poweroff=maybe").problems.size() == 5);
}

TEST_CASE("options: run takes a Unix socket and nothing else", "[guest][config]") {
  const auto run = parse_agent_options({"vigil-guest", "run", "--services", "/s", "--link", "unix:/tmp/l", "--accelerator", "tcg"});
  REQUIRE(run.has_value());
  REQUIRE(std::get<RunOptions>(*run).link == "/tmp/l");
  REQUIRE(std::get<RunOptions>(*run).accelerator == protocol::Accelerator::tcg);
  REQUIRE_FALSE(parse_agent_options({"vigil-guest", "run", "--services", "/s"}).has_value());
  REQUIRE_FALSE(parse_agent_options({"vigil-guest", "run", "--link", "vsock:2:5252"}).has_value());
  REQUIRE_FALSE(parse_agent_options({"vigil-guest", "run", "--link"}).has_value());
  REQUIRE_FALSE(parse_agent_options({"vigil-guest", "run", "--link", "unix:/l", "--boot-id", "nonsense"}).has_value());
  REQUIRE(parse_agent_options({"vigil-guest", "run", "--lnik", "unix:/l"}).error().message().find("--lnik") != std::string::npos);
}

TEST_CASE("options: called poweroff, halt or reboot it asks init", "[guest][config]") {
  using Kind = protocol::ByeReport::Kind;
  REQUIRE(std::get<AskInit>(*parse_agent_options({"/run/vigil/bin/poweroff"})).kind == Kind::poweroff);
  REQUIRE(std::get<AskInit>(*parse_agent_options({"halt", "-p"})).kind == Kind::poweroff);
  REQUIRE(std::get<AskInit>(*parse_agent_options({"/sbin/reboot"})).kind == Kind::reboot);
  REQUIRE(std::get<AskInit>(*parse_agent_options({"vigil-guest", "reboot"})).kind == Kind::reboot);
}

TEST_CASE("options: check takes one directory", "[guest][config]") {
  const auto check = std::get<CheckOptions>(*parse_agent_options({"vigil-guest", "check", "/s", "--json"}));
  REQUIRE(check.directory == "/s");
  REQUIRE(check.json);
  REQUIRE_FALSE(parse_agent_options({"vigil-guest", "check"}).has_value());
  REQUIRE_FALSE(parse_agent_options({"vigil-guest", "check", "/a", "/b"}).has_value());
}

TEST_CASE("options: init, version and nothing at all", "[guest][config]") {
  REQUIRE(std::holds_alternative<BeInit>(*parse_agent_options({"vigil-guest", "init"})));
  REQUIRE(std::holds_alternative<ShowVersion>(*parse_agent_options({"vigil-guest", "version"})));
  REQUIRE(std::holds_alternative<ServeSystemd>(*parse_agent_options({"vigil-guest", "systemd"})));
  REQUIRE(std::get<TellUnitFailed>(*parse_agent_options({"vigil-guest", "unit-failed", "web.service"})).unit == "web.service");
  REQUIRE_FALSE(parse_agent_options({"vigil-guest", "unit-failed"}).has_value());
  REQUIRE(std::get<OpenUrl>(*parse_agent_options({"vigil-guest", "open-url", "https://a.example/"})).url == "https://a.example/");
  REQUIRE(std::get<OpenUrl>(*parse_agent_options({"/run/vigil/signin/ss-1/xdg-open", "https://a.example/"})).url == "https://a.example/");
  REQUIRE(std::get<OpenUrl>(*parse_agent_options({"x-www-browser", "--new-window", "https://a.example/"})).url == "https://a.example/");
  REQUIRE_FALSE(parse_agent_options({"vigil-guest", "open-url"}).has_value());
  REQUIRE_FALSE(parse_agent_options({"vigil-guest"}).has_value());
  REQUIRE_FALSE(parse_agent_options({}).has_value());
  REQUIRE_FALSE(parse_agent_options({"vigil-guest", "version", "extra"}).has_value());
}

TEST_CASE("options: between two builds of the agent, numbers of descriptors", "[guest][config]") {
  const auto resume = std::get<ResumeInit>(*parse_agent_options({"vigil-guest", "resume", "00012", "none", "06"}));
  REQUIRE((resume.state_fd == 12 && resume.program_fd == -1 && resume.signal == 6));
  REQUIRE(std::get<ResumeInit>(*parse_agent_options({"vigil-guest", "resume", "12", "13", "none"})).program_fd == 13);
  REQUIRE(std::get<TryUpgrade>(*parse_agent_options({"vigil-guest", "upgrade-trial", "3"})).state_fd == 3);
  for (const auto* word : {"none", "-1", "3x", ""}) {
    REQUIRE_FALSE(parse_agent_options({"vigil-guest", "upgrade-trial", word}).has_value());
    REQUIRE_FALSE(parse_agent_options({"vigil-guest", "resume", word, "none", "none"}).has_value());
  }
}

TEST_CASE("build identity: a kernel release is known", "[guest][config]") { REQUIRE_FALSE(kernel_release().empty()); }

}  // namespace vigil::guest::config
