// What the actor has to do after an event was recorded. Effects may be lost with the daemon; pending_effects() gives them again.
//
// Shape:  every effect is idempotent: arming a name again replaces its deadline, a second shutdown request or kill does no harm.
#pragma once

#include "shared/base/clock.hpp"
#include "shared/base/ids.hpp"
#include "shared/protocol/report.hpp"

#include <chrono>
#include <string>
#include <variant>

namespace vigil::machine {

/// Who starts a run that nobody asked for.
inline constexpr const char* guest_reboot_actor = "reboot";
inline constexpr const char* policy_actor = "restart policy";

/// When `due_mono_us` (host CLOCK_BOOTTIME) is past, submit DeadlinePassed{name}. A later ArmDeadline of the same name replaces it.
struct ArmDeadline {
  std::string name;                             // "stage:rootfs", "stop", "exit", "link", "console"
  MonoUs due_mono_us = 0;
  friend bool operator==(const ArmDeadline&, const ArmDeadline&) = default;
};

struct CancelDeadline { std::string name; friend bool operator==(const CancelDeadline&, const CancelDeadline&) = default; };

/// Over the link; when there is none now it is asked for again at the next LinkUp.
struct RequestGuestShutdown {
  protocol::ByeReport::Kind kind = protocol::ByeReport::Kind::poweroff;
  friend bool operator==(const RequestGuestShutdown&, const RequestGuestShutdown&) = default;
};

struct KillVmm {
  int signal = 9;
  std::string why;
  friend bool operator==(const KillVmm&, const KillVmm&) = default;
};

/// The run has ended: its evidence can be put away.
struct ArchiveRun { friend bool operator==(const ArchiveRun&, const ArchiveRun&) = default; };

/// Start the next run (submit StartRequested with run + 1) after that long.
struct StartNextRun {
  std::chrono::milliseconds after{0};
  std::string actor;                            // guest_reboot_actor, policy_actor, or who asked for the reboot
  friend bool operator==(const StartNextRun&, const StartNextRun&) = default;
};

/// The restart policy would go on, but has tried often enough (submit RestartsEnded).
struct EndRestarts {
  std::uint32_t count = 0;
  RunNumber first_run;
  friend bool operator==(const EndRestarts&, const EndRestarts&) = default;
};

using Effect = std::variant<ArmDeadline, CancelDeadline, RequestGuestShutdown, KillVmm, ArchiveRun, StartNextRun, EndRestarts>;

}  // namespace vigil::machine
