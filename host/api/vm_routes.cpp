// The routes for VMs, health, diagnostics and consoles that clients of the earlier service speak, in its shapes. There, a VM that was absent was a 500, its health
// was "up" whatever happened, and the evidence went with it: the shapes are the old ones, what they say is what is known.
#include "host/api/error_to_http.hpp"
#include "host/api/old_shapes.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/to_json.hpp"
#include "host/machine/derive.hpp"
#include "shared/base/clock.hpp"
#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace vigil::api {

namespace {

using nlohmann::json;

constexpr std::uint64_t us_in_second = 1'000'000;
constexpr std::size_t default_lines = 100, max_lines = 10'000;

UnixUs now() { return SystemClock().unix_us(); }

const char* old_status(const Look& look) {
  using protocol::Power;
  using protocol::RunState;
  if (look.row.removed_unix_us) return "destroyed";
  switch (machine::power(look.state)) {
    case Power::starting: return "creating";
    case Power::running: return "running";
    case Power::paused:
    case Power::hibernated: return "hibernated";
    case Power::stopping: return "stopping";
    case Power::stopped: break;
  }
  const auto state = machine::derive(look.state);
  return state == RunState::crashed || state == RunState::failed ? "failed" : "stopped";
}

/// Its label "type"; without one the image's name.
std::string type_of(const Look& look) {
  const auto label = look.row.spec.labels.find("type");
  return label == look.row.spec.labels.end() ? look.row.spec.image_name : label->second;
}

json old_vm(const Look& look) {
  json out = {{"vmId", look.row.id.value()}, {"status", old_status(look)},
              {"vmType", type_of(look)},     {"ipAddress", nullptr},  // it has no NIC: its ports are reached through the daemon
              {"vcpu", look.row.spec.vcpus}, {"memoryMB", look.row.spec.memory_mib},
              {"cpuUsage", nullptr},         {"memoryUsage", nullptr},
              {"lastHeartbeat", nullptr},    {"createdAt", iso_time(look.row.created_unix_us)}};
  const auto& run = look.state.run;
  if (!run) return out;
  out["lastHeartbeat"] = last_heartbeat_of(look.state);
  if (!run->vitals || run->end) return out;
  const auto& vitals = *run->vitals;
  out["cpuUsage"] = vitals.load1_permille / 10.0 / std::max<std::uint32_t>(look.row.spec.vcpus, 1);
  if (vitals.memory_total_kib != 0)
    out["memoryUsage"] = 100.0 - 100.0 * static_cast<double>(vitals.memory_available_kib) / static_cast<double>(vitals.memory_total_kib);
  return out;
}

/// Those that the caller sees; removed ones, too.
std::vector<Look> all_vms(const Context& context) {
  std::vector<Look> all;
  for (auto& look : context.control.existing())
    if (context.caller.sees(look.row.spec.owner)) all.push_back(std::move(look));
  const auto removed = context.store.removed_instances();
  if (!removed) return all;
  for (const auto& row : *removed)
    if (context.caller.sees(row.spec.owner)) all.push_back({row, {}, {}});
  return all;
}

Result<std::size_t> lines_of(const Request& request) {
  const auto text = request.query_value("lines");
  if (!text) return default_lines;
  std::size_t lines = 0;
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), lines);
  if (failure != std::errc() || end != text->data() + text->size() || lines == 0)
    return Error(Errc::invalid, "lines: not a number from 1 on");
  return std::min(lines, max_lines);
}

std::string last_lines(const std::string& text, std::size_t count) {
  auto end = text.size();
  if (end != 0 && text.back() == '\n') --end;
  auto begin = end;
  while (begin != 0 && (text[begin - 1] != '\n' || --count != 0)) --begin;
  return text.substr(begin, end - begin);
}

struct Console {
  Look look;
  std::string whole, end;
};

Result<Console> console_of(const Context& context, const Request& request) {
  TRY(lines, lines_of(request));
  TRY(look, look_at(context, request));
  std::string whole;
  if (look.state.run) {
    TRY(bytes, context.control.console(look.row.id, look.state.run->number));
    whole = std::move(bytes);
  }
  auto end = last_lines(whole, lines);
  return Console{std::move(look), std::move(whole), std::move(end)};
}

}  // namespace

void get_old_health(const Context& context, const Request&, const Reply& reply) {
  const auto at = now();
  const auto started = context.control.facts().started_unix_us;
  const auto uptime = static_cast<double>(at - std::min(at, started)) / us_in_second;
  reply.send(http::json_response(200, json{{"status", "healthy"}, {"uptime", uptime}, {"timestamp", iso_time(at)}}));
}

void answer_ping(const Context&, const Request& request, const Reply& reply) {
  const auto id = request.header("x-request-id");
  reply.send(
      http::json_response(200, json{{"success", true}, {"message", "pong"}, {"requestId", id ? json(id->substr(0, 128)) : json(nullptr)}}));
}

void list_vms(const Context& context, const Request& request, const Reply& reply) {
  const auto status = request.query_value("status"), type = request.query_value("type");
  const bool without_destroyed = request.query_value("excludeDestroyed") == "true";
  json vms = json::array();
  for (const auto& look : all_vms(context)) {
    const std::string found = old_status(look);
    const bool is_wanted =
        (!status || *status == found) && (!type || *type == type_of(look)) && !(without_destroyed && found == "destroyed");
    if (is_wanted) vms.push_back(old_vm(look));
  }
  reply.send(http::json_response(200, json{{"vms", std::move(vms)}}));
}

void count_vms(const Context& context, const Request&, const Reply& reply) {
  json by_status = json::object(), by_type = json::object();
  const auto all = all_vms(context);
  for (const auto& look : all) {
    const auto count = [](json& in, const std::string& key) { in[key] = in.value(key, 0) + 1; };
    count(by_status, old_status(look));
    count(by_type, type_of(look));
  }
  reply.send(http::json_response(200, json{{"total", all.size()}, {"byStatus", by_status}, {"byType", by_type}}));
}

void get_vm(const Context& context, const Request& request, const Reply& reply) {
  const auto look = look_at(context, request);
  reply.send(look ? http::json_response(200, json{{"vm", old_vm(*look)}}) : to_old_response(look.error()));
}

/// What a VM says of itself it says over its own link: what is told here for it is read, and believed by nobody.
void take_vm_heartbeat(const Context& context, const Request& request, const Reply& reply) {
  const auto body = request.body.empty() ? Result<json>(json::object()) : parse_json(request.body);
  if (!body || !body->is_object()) return reply.send(to_old_response(Error(Errc::invalid, "the body must be a JSON object")));
  const auto look = look_at(context, request);
  if (!look) return reply.send(to_old_response(look.error()));
  reply.send(http::json_response(200, json{{"success", true}, {"lastHeartbeat", last_heartbeat_of(look->state)}}));
}

void diagnose_vm(const Context& context, const Request& request, const Reply& reply) {
  const auto console = console_of(context, request);
  if (!console) return reply.send(to_old_response(console.error()));
  const auto why = why_json(console->look.state, console->look.console_tail);
  json errors = json::array();
  if (const auto cause = why.find("cause"); cause != why.end() && cause->is_object() && cause->contains("evidence"))
    errors = (*cause)["evidence"];
  reply.send(http::json_response(200, json{{"consoleLogs", to_valid_utf8(console->end, console->end.size())},
                                           {"firecrackerErrors", errors},
                                           {"vmDirExists", !console->look.row.removed_unix_us},
                                           {"sizes", {{"console", console->whole.size()}}},
                                           {"why", why}}));
}

void get_vm_console(const Context& context, const Request& request, const Reply& reply) {
  const auto console = console_of(context, request);
  if (!console) return reply.send(to_old_response(console.error()));
  if (console->whole.empty())
    return reply.send(to_old_response(Error(Errc::not_found, "the VM has no console: it has never been started")));
  const auto lines = std::count(console->end.begin(), console->end.end(), '\n') + 1;
  reply.send(http::json_response(200, json{{"console", to_valid_utf8(console->end, console->end.size())}, {"lines", lines}}));
}

}  // namespace vigil::api
