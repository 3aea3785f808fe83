// Go, wait or refuse: from what is known of a VM.
#include "host/ports/judge.hpp"
#include "tests/unit/host/ports/known_vm.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::ports {

using protocol::ServiceState;

namespace {

std::string judged(const machine::VmState& state, const Wanted& wanted) {
    const auto judgement = judge(state, wanted);
    if (const auto* const go = std::get_if<Go>(&judgement)) return "go " + std::to_string(go->port);
    if (std::holds_alternative<Wait>(judgement)) return "wait";
    const auto& refusal = std::get<Refusal>(judgement);
    return std::to_string(refusal.status) + " " + refusal.code;
}

const Wanted web{std::nullopt, "web"}, by_number{8080, ""}, other{9, ""};

}  // namespace

TEST_CASE("judge: a VM that does not run is refused, with the cause when it failed", "[host][ports]") {
    auto vm = test::running_vm();
    vm.run.reset();
    CHECK(judged(vm, web) == "503 port.vm_stopped");
    vm = test::running_vm();
    vm.run->end = machine::EndRecord{1, protocol::ExitStatus(protocol::ExitCode{0}), "guest-shutdown"};
    vm.run->stop = machine::StopRecord{};
    CHECK(judged(vm, by_number) == "503 port.vm_stopped");
    vm = test::running_vm();
    vm.run->start_failed = machine::TimedCause{1, protocol::make_cause(protocol::CauseCode::vmm_start_failed, {{"reason", "x"}})};
    CHECK(judged(vm, by_number) == "503 vmm.start_failed");
    vm.removed = true;
    CHECK(judged(vm, by_number) == "404 not_found");
}

TEST_CASE("judge: while the VM boots one waits, for a number as for a name", "[host][ports]") {
    auto vm = test::running_vm();
    CHECK(judged(vm, web) == "wait");
    CHECK(judged(vm, by_number) == "wait");
    CHECK(judged(vm, other) == "wait");
    test::add_service(vm, "web", ServiceState::starting, "http:8080");
    vm.run->all_services_known = true;
    CHECK(judged(vm, web) == "wait");
    CHECK(judged(vm, by_number) == "wait");
    CHECK(judged(vm, {std::nullopt, "nothing"}) == "404 not_found");
}

TEST_CASE("judge: the state of the service that owns the port decides", "[host][ports]") {
    auto vm = test::running_vm();
    vm.run->all_services_known = true;
    const std::pair<ServiceState, std::string> states[] = {{ServiceState::ready, "go 8080"}, {ServiceState::waiting, "wait"}, {ServiceState::starting, "wait"},
                                                           {ServiceState::backoff, "wait"}, {ServiceState::unready, "wait"}, {ServiceState::stopping, "wait"},
                                                           {ServiceState::stopped, "503 port.service_stopped"}, {ServiceState::failed, "503 service.missing_binary"}};
    for (const auto& [state, expected] : states) {
        CAPTURE(expected);
        auto& service = test::add_service(vm, "web", state, "http:8080");
        if (state == ServiceState::failed) service.cause = protocol::make_cause(protocol::CauseCode::service_missing_binary, {{"path", "/x"}});
        CHECK(judged(vm, web) == expected);
        CHECK(judged(vm, by_number) == expected);
    }
}

TEST_CASE("judge: a service without a probe is found by what it listens on", "[host][ports]") {
    auto vm = test::running_vm();
    vm.run->all_services_known = true;
    test::add_service(vm, "web", ServiceState::ready, "notify-fd");
    CHECK(judged(vm, web) == "404 not_found");
    test::add_listener(vm, "web", 5000);
    CHECK(judged(vm, web) == "go 5000");
    test::add_listener(vm, "web", 5001);
    CHECK(judged(vm, web) == "409 conflict");
    CHECK(judged(vm, {5001, ""}) == "go 5001");
    CHECK(judged(vm, other) == "go 9");   // the guest itself knows whether somebody listens
    const auto ports = known_ports(*vm.run);
    REQUIRE(ports.size() == 2);
    CHECK(ports[0].port == 5000);
    CHECK(ports[0].service == "web");
    CHECK(ports[0].addresses == std::vector<std::string>{"0.0.0.0"});
}

}  // namespace vigil::ports
