// What systemd says of one unit, and what that means in our words.
//
// Shape:  pure. take_properties() lays a dictionary of properties (an answer, or what a PropertiesChanged signal brings) over what is known; the rest are
//         questions about the whole.
// Units:  *_us microseconds of CLOCK_MONOTONIC, which a VM that never sleeps shares with CLOCK_BOOTTIME.
// Source: org.freedesktop.systemd1(5); the words of ActiveState, SubState and Result of systemd 252 to 258.
#pragma once

#include "guest/dbus/body_reader.hpp"
#include "shared/base/clock.hpp"
#include "shared/protocol/report.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::systemd {

struct UnitFacts {
  std::string id, fragment_path, load_state;
  std::string active_state, sub_state;
  std::vector<std::string> wants, requires_;  // of a target: what it brings up
  std::uint32_t job = 0;  // 0: none is queued
  MonoUs state_changed_us = 0;
  std::uint32_t start_limit_burst = 0;
  MonoUs start_limit_interval_us = 0;
  bool can_reload = false;
  std::string invocation;  // of its present or last run, 32 hexadecimal digits
  // Of services alone:
  std::string restart, result, program;  // program: the first word of ExecStart
  std::uint32_t restarts = 0;
  pid_t main_pid = 0, exec_pid = 0;  // exec_pid: of the main process that lives or was the last
  std::int32_t exec_code = 0, exec_status = 0;  // as waitid's si_code and si_status; code 0: it lives
  MonoUs exec_started_us = 0, exec_ended_us = 0;
};

/// `properties` stands at an a{sv}.
void take_properties(UnitFacts& facts, dbus::BodyReader& properties);

/// `stops`: its job is to stop it.
protocol::ServiceState state_of(const UnitFacts& facts);
bool is_failed(const UnitFacts& facts);
/// systemd starts it again by itself in a moment.
bool restarts_by_itself(const UnitFacts& facts);
/// It failed because it was started too often.
bool reached_start_limit(const UnitFacts& facts);
protocol::ExitStatus exit_of(const UnitFacts& facts);
/// "result exit-code: ended with code 203 (the program could not be executed)".
std::string describe_end(const UnitFacts& facts);

/// "web" of "web.service"; "dev-vda.device" stays; what no service may be called is replaced: "getty-tty1" of "getty@tty1.service".
std::string service_name_of(const std::string& unit);
/// "/dev/disk/by-label/x y" of "dev-disk-by\x2dlabel-x\x20y.device"; nullopt: not a device.
std::optional<std::string> device_of(const std::string& unit);
/// "web.service" of "/system.slice/web.service/worker"; empty: of no unit.
std::string unit_of_cgroup(const std::string& cgroup);
/// Of "/org/freedesktop/systemd1/unit/web_2eservice".
std::string object_path_of(const std::string& unit);

}  // namespace vigil::guest::systemd
