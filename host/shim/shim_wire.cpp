#include "host/shim/shim_wire.hpp"

#include "host/shim/record_json.hpp"
#include "shared/base/overloaded.hpp"
#include "shared/framing/frame.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::shim {

namespace {

using nlohmann::json;

constexpr char json_mark = 'J';
constexpr char console_mark = 'C';
constexpr std::size_t offset_bytes = 8;

json body_of(const Status& status) {
  return {{"event", "status"}, {"instance", status.instance.value()}, {"run", status.run.value()}, {"phase", to_text(status.phase)},
          {"shim", to_json(status.shim)}, {"vmm", to_json(status.vmm)}, {"device", to_json(status.device)},
          {"console_bytes", status.console_bytes}, {"doors", status.has_doors}, {"dials", status.dials}};
}
json body_of(const VmmStarted& started) {
  return {{"event", "vmm_started"}, {"vmm", to_json(started.vmm)}, {"device", to_json(started.device)}, {"at_unix_us", started.at_unix_us}};
}
json body_of(const ConsoleLost& lost) { return {{"event", "console_lost"}, {"offset", lost.offset}, {"bytes", lost.bytes}}; }
json body_of(const DeviceExited& exited) {
  return {{"event", "device_exited"}, {"exit", to_json(exited.exit)}, {"at_unix_us", exited.at_unix_us}};
}
json body_of(const VmmHalted& event) { return {{"event", "vmm_halted"}, {"halted", event.halted}}; }
json body_of(const Dialled& dialled) { return {{"event", "dialled"}, {"port", dialled.port}}; }
json body_of(const Answered& answered) {
  return {{"event", "answered"}, {"id", answered.id}, {"connected", answered.connected}, {"reason", answered.reason}};
}
json body_of(const Ended& ended) { return {{"event", "ended"}, {"record", to_json(ended.record)}}; }

std::string payload_of(const json& body) { return json_mark + dump_json(body); }
template <class Event>
std::string payload_of(const Event& event) { return payload_of(body_of(event)); }

std::string payload_of(const ConsoleBytes& console) {
  std::string payload(1, console_mark);
  for (std::size_t byte = 0; byte < offset_bytes; ++byte) payload += static_cast<char>(console.offset >> (8 * byte) & 0xFF);
  return payload + console.bytes;
}

Result<ShimEvent> parse_console(std::string_view payload) {
  if (payload.size() < 1 + offset_bytes) return Error(Errc::protocol, "console frame without an offset");
  ConsoleBytes console;
  for (std::size_t byte = 0; byte < offset_bytes; ++byte)
    console.offset |= std::uint64_t{static_cast<unsigned char>(payload[1 + byte])} << (8 * byte);
  console.bytes = payload.substr(1 + offset_bytes);
  return ShimEvent(console);
}

Result<ShimEvent> parse_status(const json& object) {
  TRY(instance, read_string(object, "instance"));
  TRY(run, read_integer(object, "run", 1, 0xFFFFFFFF));
  TRY(phase_text, read_string(object, "phase"));
  TRY(shim, read_identity(object, "shim"));
  TRY(vmm, read_identity(object, "vmm"));
  TRY(device, read_identity(object, "device"));
  TRY(bytes, read_integer(object, "console_bytes"));
  const bool has_doors = object.value("doors", json(false)) == json(true);
  const bool dials = object.value("dials", json(false)) == json(true);
  const auto phase = parse_enum<Phase>(phase_text);
  if (!phase) return Error(Errc::protocol, "phase: " + phase_text);
  return ShimEvent(Status{InstanceId(instance), RunNumber(static_cast<std::uint32_t>(run)), *phase, shim, vmm, device,
                          static_cast<std::uint64_t>(bytes), has_doors, dials});
}

Result<ShimEvent> parse_started(const json& object) {
  TRY(vmm, read_identity(object, "vmm"));
  TRY(device, read_identity(object, "device"));
  TRY(at, read_integer(object, "at_unix_us"));
  return ShimEvent(VmmStarted{vmm, device, static_cast<UnixUs>(at)});
}

Result<ShimEvent> parse_lost(const json& object) {
  TRY(offset, read_integer(object, "offset"));
  TRY(bytes, read_integer(object, "bytes"));
  return ShimEvent(ConsoleLost{static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(bytes)});
}

Result<ShimEvent> parse_device_exited(const json& object) {
  TRY(exit, read_exit_status(object, "exit"));
  TRY(at, read_integer(object, "at_unix_us"));
  return ShimEvent(DeviceExited{exit, static_cast<UnixUs>(at)});
}

Result<ShimEvent> parse_halted(const json& object) {
  TRY(halted, read_bool(object, "halted"));
  return ShimEvent(VmmHalted{halted});
}

Result<ShimEvent> parse_dialled(const json& object) {
  TRY(port, read_integer(object, "port", 1, 0xFFFFFFFE));
  return ShimEvent(Dialled{static_cast<std::uint32_t>(port)});
}

Result<ShimEvent> parse_answered(const json& object) {
  TRY(id, read_integer(object, "id"));
  TRY(connected, read_bool(object, "connected"));
  TRY(reason, read_string(object, "reason"));
  return ShimEvent(Answered{static_cast<std::uint64_t>(id), connected, reason});
}

Result<ShimEvent> parse_ended(const json& object) {
  const auto found = object.find("record");
  if (found == object.end() || !found->is_object()) return Error(Errc::protocol, "ended without its record");
  TRY(record, read_record(*found));
  return ShimEvent(Ended{record});
}

Result<ShimEvent> parse_named(const json& object) {
  TRY(name, read_string(object, "event"));
  if (name == "status") return parse_status(object);
  if (name == "vmm_started") return parse_started(object);
  if (name == "console_lost") return parse_lost(object);
  if (name == "device_exited") return parse_device_exited(object);
  if (name == "vmm_halted") return parse_halted(object);
  if (name == "dialled") return parse_dialled(object);
  if (name == "answered") return parse_answered(object);
  if (name == "ended") return parse_ended(object);
  return Error(Errc::protocol, "unknown event: " + name);
}

Error as_protocol(const Error& error) { return Error(Errc::protocol, "shim: " + error.message()); }

Result<Command> parse_operation(const json& object) {
  TRY(op, read_string(object, "op"));
  if (op == "status") return Command(AskStatus{});
  if (op == "attach") {
    TRY(offset, read_integer(object, "console_offset"));
    const bool dialled = object.value("dialled", json(false)) == json(true);
    return Command(Attach{static_cast<std::uint64_t>(offset), dialled});
  }
  if (op == "dial") {
    TRY(id, read_integer(object, "id"));
    TRY(port, read_integer(object, "port", 1, 0xFFFFFFFE));
    return Command(Dial{static_cast<std::uint64_t>(id), static_cast<std::uint32_t>(port)});
  }
  if (op != "kill") return Error(Errc::protocol, "unknown op: " + op);
  TRY(signal, read_integer(object, "signal", 1, 64));
  return Command(Kill{static_cast<int>(signal)});
}

}  // namespace

std::string frame_of(const ShimEvent& event) {
  return std::visit([](const auto& alternative) { return framing::make_frame(payload_of(alternative)); }, event);
}

std::string frame_of(const Command& command) {
  const json body = std::visit(
      Overloaded{[](const Attach& attach) -> json { return {{"op", "attach"}, {"console_offset", attach.console_offset}, {"dialled", attach.dialled}}; },
                 [](const AskStatus&) -> json { return {{"op", "status"}}; },
                 [](const Kill& kill) -> json { return {{"op", "kill"}, {"signal", kill.signal}}; },
                 [](const Dial& dial) -> json { return {{"op", "dial"}, {"id", dial.id}, {"port", dial.port}}; }},
      command);
  return framing::make_frame(payload_of(body));
}

Result<ShimEvent> parse_event(std::string_view payload) {
  if (!payload.empty() && payload[0] == console_mark) return parse_console(payload);
  if (payload.empty() || payload[0] != json_mark) return Error(Errc::protocol, "shim: a frame of an unknown kind");
  const auto object = parse_json(payload.substr(1));
  if (!object) return as_protocol(object.error());
  auto event = parse_named(*object);
  if (!event) return as_protocol(event.error());
  return event;
}

Result<Command> parse_command(std::string_view payload) {
  if (payload.empty() || payload[0] != json_mark) return Error(Errc::protocol, "a frame of an unknown kind");
  TRY(object, parse_json(payload.substr(1)));
  auto command = parse_operation(object);
  if (!command) return as_protocol(command.error());
  return command;
}

}  // namespace vigil::shim
