#include "shared/protocol/report.hpp"

#include <catch2/catch_test_macros.hpp>

#include <csignal>

namespace vigil::protocol {

TEST_CASE("exit status: code, signal and unknown each say what they are", "[shared][protocol]") {
  CHECK(to_text(ExitStatus(ExitCode{1})) == "code 1");
  CHECK(to_text(ExitStatus(ExitSignal{SIGSEGV, true})) == "SIGSEGV");
  CHECK(to_text(ExitStatus(ExitUnknown{"lost"})) == "unknown (lost)");
}

TEST_CASE("signals: names, and a number where there is none", "[shared][protocol]") {
  CHECK(signal_name(SIGKILL) == "SIGKILL");
  CHECK(signal_name(42) == "SIG42");
}

TEST_CASE("states: every word parses back", "[shared][protocol]") {
  for (const auto& [state, text] : vigil::enum_table<ServiceState>) CHECK(vigil::parse_enum<ServiceState>(text) == state);
  for (const auto stage : all_stages) CHECK(vigil::parse_enum<Stage>(vigil::to_text(stage)) == stage);
  CHECK(vigil::parse_enum<RunState>("rready") == std::nullopt);
}

TEST_CASE("deadlines: those of the contract, ten times under emulation", "[shared][protocol]") {
  using namespace std::chrono_literals;
  CHECK(stage_deadline(Stage::vmm) == 2s);
  CHECK(stage_deadline(Stage::kernel) == 3s);
  CHECK(stage_deadline(Stage::agent) == 5s);
  CHECK(stage_deadline(Stage::services) == std::nullopt);
  CHECK(deadline_scale(Accelerator::kvm) == 1);
  CHECK(deadline_scale(Accelerator::tcg) == 10);
}

}  // namespace vigil::protocol
