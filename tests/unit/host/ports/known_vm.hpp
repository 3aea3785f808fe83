// A VM as the daemon may know it, put together by hand.
#pragma once

#include "host/machine/vm_state.hpp"

namespace vigil::test {

/// Its VMM runs; nothing is known of its services.
inline machine::VmState running_vm() {
    machine::VmState vm;
    vm.id = InstanceId("vm-0123456789");
    vm.spec.name = InstanceName("demo");
    vm.run.emplace();
    vm.run->number = RunNumber(1);
    vm.run->vmm.emplace();
    return vm;
}

inline protocol::ServiceReport& add_service(machine::VmState& vm, const std::string& name, protocol::ServiceState state, const std::string& probe) {
    auto& record = vm.run->services[ServiceName(name)];
    record.report = {};
    record.report.name = ServiceName(name);
    record.report.state = state;
    record.report.probes.push_back({probe, state == protocol::ServiceState::ready, std::nullopt});
    return record.report;
}

inline void add_listener(machine::VmState& vm, const std::string& service, std::uint16_t port) {
    vm.run->listeners.push_back({service, "program", 7, "0.0.0.0", port});
}

}  // namespace vigil::test
