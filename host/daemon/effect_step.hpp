// Which fault points stand beside an effect of the reducer: an effect without a row in host/fault/steps.inc does not compile.
#pragma once

#include "host/fault/fault_point.hpp"
#include "host/machine/effect.hpp"
#include "shared/base/overloaded.hpp"

namespace vigil::daemon {

inline fault::Step step_of(const machine::Effect& effect) {
  return std::visit(Overloaded{[](const machine::ArmDeadline&) { return fault::Step::arm_deadline; },
                               [](const machine::CancelDeadline&) { return fault::Step::cancel_deadline; },
                               [](const machine::RequestGuestShutdown&) { return fault::Step::request_shutdown; },
                               [](const machine::KillVmm&) { return fault::Step::kill_vmm; },
                               [](const machine::ArchiveRun&) { return fault::Step::archive_run; },
                               [](const machine::StartNextRun&) { return fault::Step::start_next_run; },
                               [](const machine::EndRestarts&) { return fault::Step::end_restarts; }},
                    effect);
}

}  // namespace vigil::daemon
