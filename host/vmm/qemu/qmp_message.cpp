#include "host/vmm/qemu/qmp_message.hpp"

#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>

namespace vigil::vmm::qemu {

namespace {

using nlohmann::json;

const json& member(const json& object, const char* key) {
  static const json nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

std::string text_of(const json& object, const char* key) {
  const auto text = object.is_object() ? try_read_string(object, key) : Result<std::optional<std::string>>(std::nullopt);
  return text && *text ? **text : "";
}

bool flag_of(const json& object, const char* key) {
  const auto flag = object.is_object() ? try_read_bool(object, key) : Result<std::optional<bool>>(std::nullopt);
  return flag && flag->value_or(false);
}

QmpMessage parse_event(const std::string& name, const json& data) {
  if (name == "SHUTDOWN") return VmmEvent(ShutdownSeen{flag_of(data, "guest"), text_of(data, "reason")});
  if (name == "RESET") return VmmEvent(ResetSeen{flag_of(data, "guest"), text_of(data, "reason")});
  if (name == "GUEST_PANICKED") return VmmEvent(PanicSeen{text_of(data, "action")});
  if (name == "STOP") return VmmEvent(PauseSeen{});
  if (name == "RESUME") return VmmEvent(ResumeSeen{});
  return Ignored{};
}

Result<QmpMessage> parse_greeting(const json& greeting) {
  const json& version = member(member(greeting, "version"), "qemu");
  if (!version.is_object()) return Error(Errc::protocol, "QMP: a greeting without a version");
  TRY(major, read_integer(version, "major"));
  TRY(minor, read_integer(version, "minor"));
  TRY(micro, read_integer(version, "micro"));
  return QmpMessage(Greeting{std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(micro)});
}

Result<QmpMessage> parse_reply(const json& object) {
  Reply reply;
  const auto id = read_integer(object, "id");
  if (!id) return object.contains("error") ? Error(Errc::protocol, "QMP: " + dump_json(member(object, "error"))) : id.error();
  reply.id = static_cast<std::uint64_t>(*id);
  if (object.contains("error")) reply.error = text_of(member(object, "error"), "class") + ": " + text_of(member(object, "error"), "desc");
  else reply.value = dump_json(member(object, "return"));
  return QmpMessage(reply);
}

// enum ShutdownCause of QEMU (qapi/run-state.json), whose numbers the trace prints.
constexpr std::array<std::string_view, 11> shutdown_causes = {"none", "host-error", "host-qmp-quit", "host-qmp-system-reset", "host-signal", "host-ui",
                                                              "guest-shutdown", "guest-reset", "guest-panic", "subsystem-reset", "snapshot-load"};

}  // namespace

Result<QmpMessage> parse_message(std::string_view line) {
  JsonLimits limits;
  limits.max_bytes = max_line_bytes;
  const auto object = parse_json(line, limits);
  if (!object) return Error(Errc::protocol, "QMP: " + object.error().message());
  if (!object->is_object()) return Error(Errc::protocol, "QMP: not an object");
  if (const std::string name = text_of(*object, "event"); !name.empty()) return parse_event(name, member(*object, "data"));
  if (object->contains("QMP")) return parse_greeting(member(*object, "QMP"));
  if (object->contains("return") || object->contains("error")) return parse_reply(*object);
  return QmpMessage(Ignored{});
}

std::string make_command(std::string_view name, std::uint64_t id) { return dump_json(json{{"execute", name}, {"id", id}}) + "\n"; }

Result<std::string> parse_run_state(std::string_view value) {
  TRY(object, parse_json(value));
  return read_string(object, "status");
}

std::string reason_in_log(std::string_view log) {
  constexpr std::string_view mark = "qemu_system_shutdown_request reason=";
  const auto at = log.rfind(mark);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = log.substr(at + mark.size());
  std::size_t cause = 0;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), cause);
  if (parsed.ec != std::errc{} || cause >= shutdown_causes.size()) return {};
  return std::string(shutdown_causes[cause]);
}

}  // namespace vigil::vmm::qemu
