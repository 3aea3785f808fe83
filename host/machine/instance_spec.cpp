#include "host/machine/instance_spec.hpp"

#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace vigil::machine {

using nlohmann::json;

namespace {

constexpr std::uint32_t max_vcpus = 64;
constexpr std::uint32_t max_memory_mib = 1 << 20;
constexpr std::uint32_t min_disk_mib = 16, max_disk_mib = 1 << 24;
constexpr std::uint32_t max_restart_limit = 1'000'000;
constexpr std::uint32_t max_lease_s = 366U * 24 * 3600;
constexpr std::int64_t max_deadline_ms = 24 * 3600 * 1000;
constexpr std::size_t max_entries = 256;
constexpr std::size_t max_value_bytes = 64 * 1024;

Error bad(const std::string& key, const std::string& reason) { return Error(Errc::invalid, key + ": " + reason); }

Result<void> read_image(const json& object, InstanceSpec& spec) {
  TRY(image, read_string(object, "image", 200));
  const auto at = image.find('@');
  spec.image_name = image.substr(0, at);
  if (!parse_instance_name(spec.image_name)) return bad("image", "\"" + image + "\" is not NAME or NAME@DIGEST");
  if (at == std::string::npos) return {};
  spec.image_digest = image.substr(at + 1);
  const bool is_hex = spec.image_digest.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (spec.image_digest.empty() || spec.image_digest.size() > 64 || !is_hex) return bad("image", "the digest is not lower-case hex");
  return {};
}

Result<void> read_count(const json& object, const char* key, std::uint32_t lo, std::uint32_t hi, std::uint32_t& into) {
  TRY(value, try_read_integer(object, key, lo, hi));
  if (value) into = static_cast<std::uint32_t>(*value);
  return {};
}

Result<void> read_flag(const json& object, const char* key, bool& into) {
  TRY(value, try_read_bool(object, key));
  if (value) into = *value;
  return {};
}

template <class E>
Result<void> read_choice(const json& object, const char* key, E& into) {
  TRY(text, try_read_string(object, key, 64));
  if (!text) return {};
  const auto value = parse_enum<E>(*text);
  if (!value) return bad(key, "\"" + *text + "\" is not one of its values");
  into = *value;
  return {};
}

enum class Values { text, text_or_null, object };

Result<std::string> entry_value(const std::string& where, const json& value, Values kind) {
  if (kind == Values::object) {
    if (!value.is_object()) return bad(where, "must be an object");
    return dump_json(value);
  }
  if (value.is_null() && kind == Values::text_or_null) return std::string();
  if (!value.is_string()) return bad(where, "must be a string");
  if (value.get_ref<const std::string&>().size() > max_value_bytes) return bad(where, "is too long");
  return value.get_ref<const std::string&>();
}

Result<void> read_map(const json& object, const char* key, Values kind, std::map<std::string, std::string>& into) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_object()) return bad(key, "must be an object");
  if (found->size() > max_entries) return bad(key, "has too many entries");
  for (const auto& [name, value] : found->items()) {
    const auto where = std::string(key) + "." + name;
    if (name.empty() || name.size() > 256 || name.find('\0') != std::string::npos) return bad(where, "is not a usable name");
    TRY(text, entry_value(where, value, kind));
    into.emplace(name, text);
  }
  return {};
}

Result<void> read_deadlines(const json& object, InstanceSpec& spec) {
  const auto found = object.find("deadlines_ms");
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_object()) return bad("deadlines_ms", "must be an object");
  for (const auto& [name, value] : found->items()) {
    const auto stage = parse_enum<protocol::Stage>(name);
    if (!stage) return bad("deadlines_ms." + name, "is not a boot stage");
    TRY(milliseconds, read_integer(*found, name.c_str(), 1, max_deadline_ms));
    spec.deadlines_ms.emplace(*stage, milliseconds);
  }
  return {};
}

Result<void> read_egress(const json& object, InstanceSpec& spec) {
  const auto found = object.find("egress");
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_object() && !found->is_string()) return bad("egress", "must be an object or a string");
  spec.egress = dump_json(*found);
  return {};
}

Result<void> read_names(const json& object, InstanceSpec& spec) {
  TRY(name, try_read_string(object, "name", 64));
  if (name) {
    TRY(parsed, parse_instance_name(*name));
    spec.name = parsed;
  }
  TRY(kernel_args, try_read_string(object, "kernel_args", 1024));
  if (!kernel_args) return {};
  const bool has_control = std::any_of(kernel_args->begin(), kernel_args->end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (has_control) return bad("kernel_args", "holds a control character");
  spec.kernel_args = *kernel_args;
  return {};
}

Result<void> read_origin(const json& object, InstanceSpec& spec) {
  TRY(key, try_read_string(object, "create_key", 128));
  TRY(sum, try_read_string(object, "create_sum", 64));
  TRY(owner, try_read_string(object, "owner", 64));
  spec.owner = owner.value_or("");
  spec.create_key = key.value_or("");
  spec.create_sum = sum.value_or("");
  return {};
}

Result<void> read_sizes(const json& object, InstanceSpec& spec) {
  TRY_VOID(read_count(object, "vcpus", 1, max_vcpus, spec.vcpus));
  TRY_VOID(read_count(object, "memory_mib", 32, max_memory_mib, spec.memory_mib));
  TRY_VOID(read_count(object, "disk_mib", 0, max_disk_mib, spec.disk_mib));
  if (spec.disk_mib > 0 && spec.disk_mib < min_disk_mib)
    return Error(Errc::invalid, "disk_mib: " + std::to_string(spec.disk_mib) + " is less than " + std::to_string(min_disk_mib) + "; 0 is for none");
  TRY_VOID(read_count(object, "lease_s", 0, max_lease_s, spec.lease_s));
  TRY_VOID(read_count(object, "idle_s", 0, max_lease_s, spec.idle_s));
  TRY_VOID(read_count(object, "expire_s", 0, max_lease_s, spec.expire_s));
  TRY_VOID(read_count(object, "restart_limit", 1, max_restart_limit, spec.restart_limit));
  TRY_VOID(read_flag(object, "ephemeral", spec.ephemeral));
  TRY_VOID(read_flag(object, "autostart", spec.autostart));
  TRY_VOID(read_choice(object, "vmm", spec.vmm));
  return read_choice(object, "restart", spec.restart);
}

Result<void> read_maps(const json& object, InstanceSpec& spec) {
  TRY_VOID(read_map(object, "services", Values::object, spec.services));
  TRY_VOID(read_map(object, "env", Values::text, spec.env));
  TRY_VOID(read_map(object, "secrets", Values::text_or_null, spec.secrets));
  TRY_VOID(read_map(object, "labels", Values::text, spec.labels));
  TRY_VOID(read_deadlines(object, spec));
  return read_egress(object, spec);
}

json overlays(const std::map<std::string, std::string>& services) {
  json object = json::object();
  for (const auto& [name, text] : services) object[name] = json::parse(text, nullptr, false);
  return object;
}

json names_only(const std::map<std::string, std::string>& secrets) {
  json object = json::object();
  for (const auto& entry : secrets) object[entry.first] = nullptr;
  return object;
}

json deadlines(const InstanceSpec& spec) {
  json object = json::object();
  for (const auto& [stage, after] : spec.deadlines_ms) object[std::string(to_text(stage))] = after.count();
  return object;
}

}  // namespace

Result<InstanceSpec> parse_spec(std::string_view text) {
  TRY(object, parse_json(text));
  if (!object.is_object()) return Error(Errc::invalid, "an instance must be a JSON object");
  TRY_VOID(refuse_unknown_keys(object, {"name", "image", "vcpus", "memory_mib", "disk_mib", "ephemeral", "vmm", "services", "env", "secrets", "restart", "restart_limit",
                                        "autostart", "lease_s", "idle_s", "expire_s", "egress", "labels", "deadlines_ms", "kernel_args", "owner", "create_key", "create_sum"}));
  InstanceSpec spec;
  TRY_VOID(read_names(object, spec));
  TRY_VOID(read_origin(object, spec));
  TRY_VOID(read_image(object, spec));
  TRY_VOID(read_sizes(object, spec));
  TRY_VOID(read_maps(object, spec));
  return spec;
}

std::string encode_spec(const InstanceSpec& spec) {
  json object{{"image", image_reference(spec)},
              {"vcpus", spec.vcpus},
              {"memory_mib", spec.memory_mib},
              {"disk_mib", spec.disk_mib},
              {"ephemeral", spec.ephemeral},
              {"vmm", to_text(spec.vmm)},
              {"services", overlays(spec.services)},
              {"env", spec.env},
              {"secrets", names_only(spec.secrets)},
              {"restart", to_text(spec.restart)},
              {"restart_limit", spec.restart_limit},
              {"autostart", spec.autostart},
              {"lease_s", spec.lease_s},
              {"idle_s", spec.idle_s},
              {"expire_s", spec.expire_s},
              {"labels", spec.labels},
              {"deadlines_ms", deadlines(spec)},
              {"kernel_args", spec.kernel_args}};
  if (!spec.name.value().empty()) object["name"] = spec.name.value();
  if (!spec.owner.empty()) object["owner"] = spec.owner;
  if (!spec.create_key.empty()) object["create_key"] = spec.create_key;
  if (!spec.create_sum.empty()) object["create_sum"] = spec.create_sum;
  if (!spec.egress.empty()) object["egress"] = json::parse(spec.egress, nullptr, false);
  return dump_json(object);
}

std::string image_reference(const InstanceSpec& spec) {
  return spec.image_digest.empty() ? spec.image_name : spec.image_name + "@" + spec.image_digest;
}

}  // namespace vigil::machine
