// What the host may ask of the agent, checked: the boundary between a Request's JSON and typed values.
// Errors: Errc::unsupported for an op that this build does not know, Errc::invalid naming the argument.
#pragma once

#include "shared/base/ids.hpp"
#include "shared/base/result.hpp"
#include "shared/protocol/control.hpp"
#include "shared/protocol/report.hpp"

#include <string>
#include <variant>

namespace vigil::guest::link {

struct ShutdownRequest { protocol::ByeReport::Kind kind = protocol::ByeReport::Kind::poweroff; };
struct ServiceRequest { ServiceName name; std::string action; };   // start, stop, restart or reload
struct SignalRequest { ServiceName name; int signal = 0; };
struct LogsRequest { ServiceName name; };
struct DiagnoseRequest {};
struct UnitFailedRequest { std::string unit, result; };            // from inside alone
struct UpgradeRequest { std::string path, sha256; };               // a file in the VM
using GuestRequest = std::variant<ShutdownRequest, ServiceRequest, SignalRequest, LogsRequest, DiagnoseRequest, UnitFailedRequest, UpgradeRequest>;

Result<GuestRequest> parse_guest_request(const protocol::Request& request);

}  // namespace vigil::guest::link
