// What the page is told of a VM, and with which code a viewer is sent away.
#include "host/desktop/view.hpp"
#include "tests/unit/host/ports/known_vm.hpp"

#include <nlohmann/json.hpp>

#include <catch2/catch_test_macros.hpp>

namespace vigil::desktop {

namespace {

using protocol::ServiceState;

machine::VmState booting(std::size_t stages_done) {
  auto vm = test::running_vm();
  for (std::size_t i = 0; i < stages_done; ++i) vm.run->stages[i].progress = machine::StageProgress::done;
  return vm;
}

machine::VmState with_display(ServiceState state) {
  auto vm = booting(5);
  vm.run->all_services_known = true;
  test::add_service(vm, "display", state, "rfb:5901");
  return vm;
}

View look(const machine::VmState& vm) { return view_of(&vm, 64); }

int code_of(const View& view, std::optional<std::uint32_t> attached = std::nullopt) {
  const auto closing = closing_of(view, attached);
  return closing ? static_cast<int>(closing->code) : 0;
}

}  // namespace

TEST_CASE("desktop: while the VM boots the page names the stage", "[host][desktop]") {
  const auto view = look(booting(3));
  CHECK(view.phase == Phase::waiting);
  CHECK(view.stage == "rootfs");
  CHECK(view.sentence == "demo is booting: stage rootfs");
  CHECK(view.command == "vigil timeline demo");
  CHECK(view.stages.size() == 7);
  CHECK(view.stages[2].progress == "done");
  CHECK(view.stages[3].progress == "active");
  CHECK(code_of(view) == 4011);
}

TEST_CASE("desktop: the screen is attached as soon as its own probe has passed, whatever else is not ready", "[host][desktop]") {
  CHECK(look(with_display(ServiceState::starting)).phase == Phase::waiting);
  auto vm = with_display(ServiceState::ready);
  test::add_service(vm, "browser", ServiceState::starting, "http:9222");
  const auto view = look(vm);
  CHECK(view.phase == Phase::attach);
  CHECK(view.port == 5901);
  REQUIRE(view.unready.size() == 1);
  CHECK(view.unready.front().name == "browser");
  CHECK(code_of(view, 1) == 0);
  CHECK(view_json(view).at("phase") == "attach");
}

TEST_CASE("desktop: a screen that has given up is told with its cause", "[host][desktop]") {
  auto vm = with_display(ServiceState::failed);
  vm.run->services.at(ServiceName("display")).report.cause =
      protocol::make_cause(protocol::CauseCode::service_missing_binary, {{"path", "/usr/bin/Xvnc"}});
  const auto view = look(vm);
  CHECK(view.phase == Phase::broken);
  CHECK(view.sentence.find("/usr/bin/Xvnc") != std::string::npos);
  CHECK(view.command == "vigil why demo");
  CHECK(code_of(view) == 4011);
}

TEST_CASE("desktop: a VM without an rfb probe has no desktop", "[host][desktop]") {
  auto vm = booting(7);
  vm.run->all_services_known = true;
  test::add_service(vm, "web", ServiceState::ready, "http:8080");
  test::add_service(vm, "odd", ServiceState::ready, "rfb:");
  test::add_service(vm, "odder", ServiceState::ready, "rfb:99999");
  CHECK(look(vm).phase == Phase::absent);
  CHECK(code_of(look(vm)) == 4014);
}

TEST_CASE("desktop: a service that only the console has told of may still be the screen", "[host][desktop]") {
  auto vm = with_display(ServiceState::ready);
  auto& display = vm.run->services.at(ServiceName("display"));
  display.partial = true;
  display.report.probes.clear();
  CHECK(look(vm).phase == Phase::waiting);
  CHECK(code_of(look(vm)) == 4011);
  display.partial = false;
  CHECK(look(vm).phase == Phase::absent);
}

TEST_CASE("desktop: the end of a VM is told with what to type", "[host][desktop]") {
  auto vm = with_display(ServiceState::ready);
  vm.run->end.emplace();
  const auto view = look(vm);
  CHECK(view.phase == Phase::over);
  CHECK(code_of(view) == 4010);
  CHECK_FALSE(view.command.empty());
  CHECK(closing_of(view, 1)->reason.find("type: " + view.command) != std::string::npos);
  vm.run.reset();
  CHECK(look(vm).sentence == "demo was never started");
  CHECK(look(vm).command == "vigil start demo");
  vm.removed = true;
  CHECK(code_of(look(vm)) == 4004);
  CHECK(code_of(view_of(nullptr, 64)) == 4004);
}

TEST_CASE("desktop: who was attached to another run is sent away", "[host][desktop]") {
  const auto view = look(with_display(ServiceState::ready));
  CHECK(code_of(view, 1) == 0);
  CHECK(code_of(view, 2) == 4010);
}

}  // namespace vigil::desktop
