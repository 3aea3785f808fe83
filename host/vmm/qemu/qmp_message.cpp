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

constexpr std::size_t max_processors = 64;

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

std::string make_command(std::string_view name, std::uint64_t id, const std::string& arguments) {
  json command{{"execute", name}, {"id", id}};
  if (!arguments.empty()) command["arguments"] = json::parse(arguments, nullptr, false);
  return dump_json(command) + "\n";
}

/// The hexadecimal number behind `name`, "RIP=" say, in this part of the monitor's answer.
static std::optional<std::uint64_t> register_in(std::string_view part, std::string_view name) {
  const auto found = part.find(name);
  if (found == part.npos) return std::nullopt;
  const auto digits = part.substr(found + name.size());
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return failure == std::errc() ? std::optional(value) : std::nullopt;
}

static std::optional<Processor> read_processor(std::string_view part) {
  constexpr std::uint64_t interrupt_flag = 0x200;
  auto at = register_in(part, "RIP="), flags = register_in(part, "RFL=");
  if (!at) at = register_in(part, "EIP=");
  if (!flags) flags = register_in(part, "EFL=");
  if (!at || !flags) return std::nullopt;
  return Processor{*at, (*flags & interrupt_flag) == 0, register_in(part, "HLT=").value_or(0) == 1};
}

Result<std::vector<Processor>> parse_registers(std::string_view value) {
  TRY(answer, parse_json(value));
  if (!answer.is_string()) return Error(Errc::protocol, "QMP: the monitor did not answer with a text");
  const std::string& text = answer.get_ref<const std::string&>();
  constexpr std::string_view mark = "CPU#";
  std::vector<Processor> processors;
  for (std::size_t begin = text.find(mark); begin != text.npos && processors.size() < max_processors;) {
    const auto end = text.find(mark, begin + mark.size());
    if (const auto processor = read_processor(std::string_view(text).substr(begin, end == text.npos ? end : end - begin))) processors.push_back(*processor);
    begin = end;
  }
  return processors;
}

Result<std::string> parse_run_state(std::string_view value) {
  TRY(object, parse_json(value));
  return read_string(object, "status");
}

std::string reason_in_log(std::string_view log) {
  constexpr std::string_view mark = "qemu_system_shutdown_request reason=";
  const auto at = log.rfind(mark);
  // A signal's way is not traced, but told: "terminating on signal 15 from pid 4711 (...)".
  if (at == std::string_view::npos) return log.find(": terminating on signal ") == std::string_view::npos ? "" : "host-signal";
  const std::string_view rest = log.substr(at + mark.size());
  std::size_t cause = 0;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), cause);
  if (parsed.ec != std::errc{} || cause >= shutdown_causes.size()) return {};
  return std::string(shutdown_causes[cause]);
}

}  // namespace vigil::vmm::qemu
