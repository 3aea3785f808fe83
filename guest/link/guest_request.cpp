#include "guest/link/guest_request.hpp"

#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::guest::link {
namespace {

Result<GuestRequest> parse_shutdown(const nlohmann::json& args) {
  TRY(kind_text, try_read_string(args, "kind"));
  if (!kind_text) return GuestRequest(ShutdownRequest{});
  const auto kind = parse_enum<protocol::ByeReport::Kind>(*kind_text);
  if (!kind) return Error(Errc::invalid, "kind: poweroff or reboot, not " + *kind_text);
  return GuestRequest(ShutdownRequest{*kind});
}

Result<GuestRequest> parse_signal_request(const ServiceName& name, const nlohmann::json& args) {
  TRY(signal_text, read_string(args, "signal"));
  const auto signal = protocol::signal_number(signal_text.starts_with("SIG") ? signal_text : "SIG" + signal_text);
  if (!signal) return Error(Errc::invalid, "signal: a name such as SIGHUP or HUP, not " + signal_text);
  return GuestRequest(SignalRequest{name, *signal});
}

Result<GuestRequest> parse_service(const nlohmann::json& args) {
  TRY(name_text, read_string(args, "name"));
  TRY(name, parse_service_name(name_text));
  TRY(action, read_string(args, "action"));
  if (action == "signal") return parse_signal_request(name, args);
  if (action != "start" && action != "stop" && action != "restart" && action != "reload")
    return Error(Errc::invalid, "action: start, stop, restart, reload or signal, not " + action);
  return GuestRequest(ServiceRequest{name, action});
}

Result<GuestRequest> parse_logs(const nlohmann::json& args) {
  TRY(name_text, read_string(args, "name"));
  TRY(name, parse_service_name(name_text));
  return GuestRequest(LogsRequest{name});
}

Result<GuestRequest> parse_unit_failed(const nlohmann::json& args) {
  TRY(unit, read_string(args, "unit", 256));
  TRY(result, read_string(args, "result", 64));
  return GuestRequest(UnitFailedRequest{unit, result});
}

Result<GuestRequest> parse_upgrade(const nlohmann::json& args) {
  TRY(path, read_string(args, "path", 256));
  TRY(sha256, read_string(args, "sha256", 64));
  if (!path.starts_with('/')) return Error(Errc::invalid, "path: must be absolute, not " + path);
  if (sha256.size() != 64 || sha256.find_first_not_of("0123456789abcdef") != std::string::npos) return Error(Errc::invalid, "sha256: not 64 digits of lower-case hex");
  return GuestRequest(UpgradeRequest{path, sha256});
}

}  // namespace

Result<GuestRequest> parse_guest_request(const protocol::Request& request) {
  TRY(args, parse_json(request.args.empty() ? "{}" : request.args));
  if (!args.is_object()) return Error(Errc::invalid, "args: must be an object");
  if (request.op == "shutdown") return parse_shutdown(args);
  if (request.op == "service") return parse_service(args);
  if (request.op == "logs") return parse_logs(args);
  if (request.op == "unit_failed") return parse_unit_failed(args);
  if (request.op == "upgrade") return parse_upgrade(args);
  if (request.op == "diagnose") return GuestRequest(DiagnoseRequest{});
  return Error(Errc::unsupported, "this agent does not know the request " + request.op);
}

}  // namespace vigil::guest::link
