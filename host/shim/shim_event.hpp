// What a shim tells its clients. On the wire: shim_wire.hpp.
//
// Order:  Status first; then console bytes from the asked offset on without a hole but for a ConsoleLost, and the other events as they happen. Ended
//         is the last one and comes after the last console byte; then the shim closes the connection and ends.
#pragma once

#include "host/shim/exit_record.hpp"
#include "host/shim/process_identity.hpp"

#include <cstdint>
#include <string>
#include <variant>

namespace vigil::shim {

enum class Phase { starting, running, ended };

struct Status {
  InstanceId instance;
  RunNumber run;
  Phase phase = Phase::starting;
  ProcessIdentity shim, vmm, device;            // pid 0: not started (yet)
  std::uint64_t console_bytes = 0;              // so far
  bool has_doors = false;                       // it listens for the guest: Dialled tells. One of an older version does not
  bool dials = false;                           // it dials the guest: ShimConnection::dial(). One of an older version does not
  friend bool operator==(const Status&, const Status&) = default;
};

struct VmmStarted {
  ProcessIdentity vmm, device;
  UnixUs at_unix_us = 0;
  friend bool operator==(const VmmStarted&, const VmmStarted&) = default;
};

struct ConsoleBytes {
  std::uint64_t offset = 0;                     // of the first byte in the console's stream
  std::string bytes;
  friend bool operator==(const ConsoleBytes&, const ConsoleBytes&) = default;
};

/// Bytes [offset, offset + bytes) are not kept any more: the client was too slow, or asked for what lies in the gap.
struct ConsoleLost {
  std::uint64_t offset = 0, bytes = 0;
  friend bool operator==(const ConsoleLost&, const ConsoleLost&) = default;
};

/// The device ended before the VMM did.
struct DeviceExited {
  protocol::ExitStatus exit = protocol::ExitUnknown{};
  UnixUs at_unix_us = 0;
  friend bool operator==(const DeviceExited&, const DeviceExited&) = default;
};

/// Somebody stopped the VMM's process (SIGSTOP), or let it go on.
struct VmmHalted {
  bool halted = true;
  friend bool operator==(const VmmHalted&, const VmmHalted&) = default;
};

/// The guest has dialled this port of its host; the connection's socket came along (ShimConnection::take_passed).
struct Dialled {
  std::uint32_t port = 0;
  friend bool operator==(const Dialled&, const Dialled&) = default;
};

/// What became of ShimConnection::dial(), which takes it: whoever asks for events does not see it. Where it is connected, the socket came along.
struct Answered {
  std::uint64_t id = 0;
  bool connected = false;
  std::string reason;                           // not connected, and not because nobody is there
  friend bool operator==(const Answered&, const Answered&) = default;
};

/// The VMM ended, or could not be started (record.start_error). exit.json holds the same and is on disk by now.
struct Ended {
  ExitRecord record;
  friend bool operator==(const Ended&, const Ended&) = default;
};

using ShimEvent = std::variant<Status, VmmStarted, ConsoleBytes, ConsoleLost, DeviceExited, VmmHalted, Dialled, Answered, Ended>;

}  // namespace vigil::shim

namespace vigil {
template <> inline constexpr auto enum_table<shim::Phase> = make_enum_table<shim::Phase>({
    {shim::Phase::starting, "starting"}, {shim::Phase::running, "running"}, {shim::Phase::ended, "ended"}});
}  // namespace vigil
