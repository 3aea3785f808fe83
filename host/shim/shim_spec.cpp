#include "host/shim/shim_spec.hpp"

#include "host/vmm/vmm.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::shim {

namespace {

using nlohmann::json;

constexpr std::size_t max_path = 4096;
constexpr std::size_t max_arguments = 256;
constexpr std::size_t max_argument = 64 << 10;   // a kernel command line is one

json caps_json(const KeepCaps& caps) { return {{"head_bytes", caps.head_bytes}, {"tail_bytes", caps.tail_bytes}}; }

json plan_json(const vmm::LaunchPlan& plan) {
  json files = json::array(), listeners = json::array();
  for (const auto& file : plan.files) files.push_back({{"path", file.path}, {"access", to_text(file.access)}, {"fd", file.fd}});
  for (const auto& listener : plan.listeners) listeners.push_back({{"path", listener.path}, {"fd", listener.fd}});
  json out = {{"argv", plan.argv}, {"files", files}, {"listeners", listeners}, {"control_socket", plan.control_socket}, {"console_fd", plan.console_fd}};
  if (plan.device)
    out["device"] = {{"argv", plan.device->argv}, {"socket", plan.device->socket}, {"deadline_ms", plan.device->deadline.count()}};
  return out;
}

/// The array or object under `key`; an error when it is of another kind.
Result<const json*> member(const json& object, const char* key, json::value_t kind) {
  const auto found = object.find(key);
  if (found == object.end() || found->type() != kind) return Error(Errc::invalid, std::string(key) + ": missing or of a wrong type");
  return &*found;
}

Result<int> read_fd(const json& object) {
  TRY(fd, read_integer(object, "fd", 3, 99));
  return static_cast<int>(fd);
}

Result<KeepCaps> parse_caps(const json& object, const char* key) {
  TRY(caps, member(object, key, json::value_t::object));
  TRY(head, read_integer(*caps, "head_bytes"));
  TRY(tail, read_integer(*caps, "tail_bytes"));
  return KeepCaps{static_cast<std::uint64_t>(head), static_cast<std::uint64_t>(tail)};
}

Result<void> parse_files(const json& object, vmm::LaunchPlan& plan) {
  TRY(files, member(object, "files", json::value_t::array));
  for (const json& item : *files) {
    TRY(path, read_string(item, "path", max_path));
    TRY(access_text, read_string(item, "access"));
    TRY(fd, read_fd(item));
    const auto access = parse_enum<vmm::Access>(access_text);
    if (!access) return Error(Errc::invalid, "access: " + access_text);
    plan.files.push_back({path, *access, fd});
  }
  TRY(listeners, member(object, "listeners", json::value_t::array));
  for (const json& item : *listeners) {
    TRY(path, read_string(item, "path", max_path));
    TRY(fd, read_fd(item));
    plan.listeners.push_back({path, fd});
  }
  return {};
}

Result<vmm::LaunchPlan> parse_plan(const json& object) {
  vmm::LaunchPlan plan;
  TRY(argv, read_strings(object, "argv", max_arguments, max_argument));
  TRY(control, read_string(object, "control_socket", max_path));
  TRY(console_fd, read_integer(object, "console_fd", 1, 99));
  if (argv.empty()) return Error(Errc::invalid, "argv: empty");
  plan.argv = argv;
  plan.control_socket = control;
  plan.console_fd = static_cast<int>(console_fd);
  TRY_VOID(parse_files(object, plan));
  if (!object.contains("device")) return plan;
  TRY(device, member(object, "device", json::value_t::object));
  TRY(device_argv, read_strings(*device, "argv", max_arguments, max_argument));
  TRY(socket, read_string(*device, "socket", max_path));
  TRY(deadline, read_integer(*device, "deadline_ms", 1));
  if (device_argv.empty()) return Error(Errc::invalid, "device: argv: empty");
  plan.device = vmm::DevicePlan{device_argv, socket, std::chrono::milliseconds(deadline)};
  return plan;
}

Result<std::vector<Door>> parse_doors(const json& object) {
  std::vector<Door> doors;
  if (!object.contains("doors")) return doors;   // a daemon of an older version listens itself
  TRY(items, member(object, "doors", json::value_t::array));
  for (const json& item : *items) {
    TRY(path, read_string(item, "path", max_path));
    TRY(port, read_integer(item, "port", 1, 0xFFFFFFFE));
    doors.push_back({path, static_cast<std::uint32_t>(port)});
  }
  return doors;
}

Result<Credentials> parse_credentials(const json& object) {
  constexpr std::int64_t max_id = 0xFFFFFFFE;
  Credentials credentials;
  TRY(uid, read_integer(object, "uid", 1, max_id));
  TRY(gid, read_integer(object, "gid", 1, max_id));
  TRY(groups, member(object, "groups", json::value_t::array));
  credentials.uid = static_cast<std::uint32_t>(uid);
  credentials.gid = static_cast<std::uint32_t>(gid);
  for (const json& group : *groups) {
    if (!group.is_number_unsigned()) return Error(Errc::invalid, "groups: not a group id");
    credentials.groups.push_back(static_cast<std::uint32_t>(group.get_ref<const json::number_unsigned_t&>()));
  }
  return credentials;
}

}  // namespace

std::string encode_shim_spec(const ShimSpec& spec) {
  json doors = json::array();
  for (const auto& door : spec.doors) doors.push_back({{"path", door.path}, {"port", door.port}});
  json out = {{"instance", spec.instance.value()}, {"run", spec.run.value()}, {"run_dir", spec.run_dir}, {"log_dir", spec.log_dir},
              {"plan", plan_json(spec.plan)}, {"console", caps_json(spec.console)}, {"vmm_log", caps_json(spec.vmm_log)}, {"doors", doors}, {"dial_path", spec.dial_path}};
  if (const auto& wanted = spec.credentials) out["credentials"] = {{"uid", wanted->uid}, {"gid", wanted->gid}, {"groups", wanted->groups}};
  return dump_json(out);
}

Result<ShimSpec> parse_shim_spec(std::string_view text) {
  TRY(object, parse_json(text));
  ShimSpec spec;
  TRY(instance, read_string(object, "instance"));
  TRY(id, parse_instance_id(instance));
  TRY(run, read_integer(object, "run", 1, 0xFFFFFFFF));
  TRY(run_dir, read_string(object, "run_dir", max_path));
  TRY(log_dir, read_string(object, "log_dir", max_path));
  TRY(plan_object, member(object, "plan", json::value_t::object));
  TRY(plan, parse_plan(*plan_object));
  TRY(console, parse_caps(object, "console"));
  TRY(vmm_log, parse_caps(object, "vmm_log"));
  TRY(doors, parse_doors(object));
  spec = {id, RunNumber(static_cast<std::uint32_t>(run)), run_dir, log_dir, plan, std::nullopt, console, vmm_log, doors, ""};
  if (object.contains("dial_path")) {
    TRY(dial_path, read_string(object, "dial_path", max_path));
    spec.dial_path = dial_path;
  }
  if (!object.contains("credentials")) return spec;
  TRY(credentials_object, member(object, "credentials", json::value_t::object));
  TRY(credentials, parse_credentials(*credentials_object));
  spec.credentials = credentials;
  return spec;
}

std::string shim_socket_path(const std::string& run_dir) { return run_dir + "/shim.sock"; }
std::string console_log_path(const std::string& log_dir) { return log_dir + "/console.log"; }
std::string vmm_log_path(const std::string& log_dir) { return log_dir + "/vmm.log"; }
std::string exit_record_path(const std::string& log_dir) { return log_dir + "/exit.json"; }

}  // namespace vigil::shim
