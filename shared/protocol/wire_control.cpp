#include "shared/protocol/wire.hpp"

namespace vigil::protocol::wire {

namespace {

using TextMap = std::map<std::string, std::string>;

json to_json(const TextMap& map) {
  json object = json::object();
  for (const auto& [name, value] : map)
    if (object.size() < max_config_entries) object[to_valid_utf8(name, max_detail_bytes)] = text(value, max_config_bytes);
  return object;
}

/// `read` gives each value; a missing map is an empty one. A name may hold any byte, a NUL too: never look it up by its c_str().
template <class Read>
Result<TextMap> read_map(const json& object, const char* key, Read read) {
  TextMap map;
  const auto member = object.find(key);
  if (member == object.end()) return map;
  if (!member->is_object()) return Error(Errc::invalid, std::string(key) + ": not an object");
  if (member->size() > max_config_entries) return Error(Errc::limit, std::string(key) + ": too many entries");
  for (const auto& [name, value] : member->items()) {
    Result<std::string> entry = read(value);
    if (!entry) return entry.error().with_context(std::string(key) + "." + to_valid_utf8(name, 64));
    map.emplace(name, std::move(*entry));
  }
  return map;
}

Result<TextMap> read_texts_by_name(const json& object, const char* key) {
  return read_map(object, key, [](const json& value) {
    const json holder = {{"value", value}};
    return read_string(holder, "value", max_config_bytes);
  });
}

Result<TextMap> read_objects_by_name(const json& object, const char* key) {
  return read_map(object, key, [](const json& value) { return Result<std::string>(dump_json(value)); });
}

json to_json(const GuestConfig& config) {
  json services = json::object();
  for (const auto& [name, overlay] : config.services) services[to_valid_utf8(name, 64)] = nested(overlay);
  json object = object_of("services", std::move(services), "env", to_json(config.env), "secrets", to_json(config.secrets), "hostname",
                          text(config.hostname, max_detail_bytes));
  if (config.egress) object["egress"] = true;
  return object;
}

Result<GuestConfig> parse_config(const json& object) {
  TRY(services, read_objects_by_name(object, "services"));
  TRY(env, read_texts_by_name(object, "env"));
  TRY(secrets, read_texts_by_name(object, "secrets"));
  TRY(hostname, read_text_or(object, "hostname", "", max_detail_bytes));
  TRY(egress, try_read_bool(object, "egress"));
  return GuestConfig{std::move(services), std::move(env), std::move(secrets), std::move(hostname), egress.value_or(false)};
}

/// JSON inside JSON: absent when empty, so that "no arguments" stays no arguments.
void put_nested(json& object, const char* key, const std::string& json_text) {
  if (!json_text.empty()) object[key] = nested(json_text);
}

std::string dump_member(const json& object, const char* key) {
  const auto member = object.find(key);
  return member == object.end() ? std::string() : dump_json(*member);
}

Result<std::vector<std::uint32_t>> read_protocols(const json& object) {
  std::vector<std::uint32_t> protocols;
  const auto list = object.find("protocols");
  if (list == object.end() || !list->is_array() || list->empty() || list->size() > 32)
    return Error(Errc::invalid, "protocols: not a list of 1 to 32 numbers");
  for (const auto& each : *list) {
    const json holder = {{"protocols[]", each}};
    TRY(version, read_int<std::uint32_t>(holder, "protocols[]"));
    protocols.push_back(version);
  }
  return protocols;
}

}  // namespace

json to_json(const Hello& hello) {
  return object_of("protocols", hello.protocols, "agent_version", text(hello.agent_version, max_detail_bytes), "build_id",
                   text(hello.build_id, max_detail_bytes), "image_digest", text(hello.image_digest, max_detail_bytes), "kernel",
                   text(hello.kernel, max_detail_bytes), "features", texts(hello.features, max_names, max_detail_bytes), "phase",
                   text(hello.phase, 64), "first_unacked", number(hello.first_unacked), "token", text(hello.token, max_detail_bytes));
}

Result<Hello> parse_hello(const json& object) {
  TRY(protocols, read_protocols(object));
  TRY(agent_version, read_text_or(object, "agent_version", "", max_detail_bytes));
  TRY(build_id, read_text_or(object, "build_id", "", max_detail_bytes));
  TRY(image_digest, read_text_or(object, "image_digest", "", max_detail_bytes));
  TRY(kernel, read_text_or(object, "kernel", "", max_detail_bytes));
  TRY(features, read_texts_or_none(object, "features", max_names, max_detail_bytes));
  TRY(phase, read_text_or(object, "phase", "", 64));
  TRY(first_unacked, read_int_or<Seq>(object, "first_unacked", 1));
  TRY(token, read_text_or(object, "token", "", max_detail_bytes));
  return Hello{std::move(protocols), std::move(agent_version), std::move(build_id), std::move(image_digest), std::move(kernel),
               std::move(features),  std::move(phase),         first_unacked,       std::move(token)};
}

json to_json(const Welcome& welcome) {
  return object_of("protocol", welcome.protocol, "epoch", welcome.epoch, "token", text(welcome.token, max_detail_bytes), "wall_unix_us",
                   number(welcome.wall_unix_us), "config", to_json(welcome.config));
}

Result<Welcome> parse_welcome(const json& object) {
  TRY(protocol, read_int<std::uint32_t>(object, "protocol"));
  TRY(epoch, read_int_or<Epoch>(object, "epoch", 0));
  TRY(token, read_string(object, "token", max_detail_bytes));
  TRY(wall, read_int_or<UnixUs>(object, "wall_unix_us", 0));
  const auto member = object.find("config");
  auto config = member == object.end() ? Result<GuestConfig>(GuestConfig{}) : parse_config(*member);
  if (!config) return config.error().with_context("config");
  return Welcome{protocol, epoch, std::move(token), wall, std::move(*config)};
}

json to_json(const Ack& ack) { return object_of("seq", number(ack.seq)); }

Result<Ack> parse_ack(const json& object) {
  TRY(seq, read_int<Seq>(object, "seq"));
  return Ack{seq};
}

json to_json(const Ping& ping) {
  json object = object_of("n", number(ping.n), "sender_us", number(ping.sender_us));
  if (ping.wall_unix_us != 0) object["wall_unix_us"] = number(ping.wall_unix_us);
  return object;
}

Result<Ping> parse_ping(const json& object) {
  TRY(n, read_int<std::uint64_t>(object, "n"));
  TRY(sender, read_int<MonoUs>(object, "sender_us"));
  TRY(wall, read_int_or<UnixUs>(object, "wall_unix_us", 0));
  return Ping{n, sender, wall};
}

json to_json(const Pong& pong) {
  return object_of("n", number(pong.n), "sender_us", number(pong.sender_us), "answerer_us", number(pong.answerer_us));
}

Result<Pong> parse_pong(const json& object) {
  TRY(n, read_int<std::uint64_t>(object, "n"));
  TRY(sender, read_int<MonoUs>(object, "sender_us"));
  TRY(answerer, read_int<MonoUs>(object, "answerer_us"));
  return Pong{n, sender, answerer};
}

json to_json(const Request& request) {
  json object = object_of("id", number(request.id), "op", text(request.op, 64));
  put_nested(object, "args", request.args);
  return object;
}

Result<Request> parse_request(const json& object) {
  TRY(id, read_int<std::uint64_t>(object, "id"));
  TRY(op, read_string(object, "op", 64));
  return Request{id, std::move(op), dump_member(object, "args")};
}

json to_json(const Reply& reply) {
  json object = object_of("id", number(reply.id), "ok", reply.ok, "problem", text(reply.problem));
  put_nested(object, "result", reply.result);
  return object;
}

Result<Reply> parse_reply(const json& object) {
  TRY(id, read_int<std::uint64_t>(object, "id"));
  TRY(ok, read_bool(object, "ok"));
  TRY(problem, read_text_or(object, "problem", ""));
  return Reply{id, ok, std::move(problem), dump_member(object, "result")};
}

}  // namespace vigil::protocol::wire
