// Boot stages of the current run: what evidence moves them on, and which deadline each arms. Private to this folder.
#pragma once

#include "host/machine/effect.hpp"
#include "host/machine/vm_event.hpp"
#include "host/machine/vm_state.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vigil::machine {

/// The state under change with the event that changes it; `run` is the current run.
struct Change {
  VmState& state;
  Run& run;
  const VmEvent& event;
  std::vector<Effect>& effects;
};

StageRecord& stage_record(Run& run, protocol::Stage stage);
const StageRecord& stage_record(const Run& run, protocol::Stage stage);

void arm(const Change& change, const std::string& name, std::chrono::milliseconds after);
void cancel(const Change& change, const std::string& name);
void cancel_stage_deadlines(const Change& change);
void cancel_all(const Change& change);
/// Times the scale of the accelerator; the slower one while it is not known.
std::chrono::milliseconds scaled(const Run& run, std::chrono::milliseconds after);

void arm_stage(const Change& change, protocol::Stage stage);
void stage_begins(const Change& change, protocol::Stage stage, const std::string& detail);
/// Evidence that the stage is done, and so are all before it. `guest_us` when the guest said so itself.
void stage_reached(const Change& change, protocol::Stage stage, std::optional<MonoUs> guest_us, const std::string& detail = {});
void stage_failed(const Change& change, protocol::Stage stage, MonoUs guest_us, const std::string& detail, const protocol::Cause& cause);
void stage_deadline_passed(const Change& change, protocol::Stage stage);

/// A sign of life: the guest's agent owns the deadlines of its services, so the host's own starts anew.
void agent_spoke(const Change& change);

/// The deadline of the stage: "stage:rootfs".
std::string stage_deadline_name(protocol::Stage stage);

}  // namespace vigil::machine
