#include "host/sessions/session_json.hpp"

#include "shared/base/overloaded.hpp"
#include "shared/json/json.hpp"
#include "shared/protocol/codec.hpp"

#include <nlohmann/json.hpp>

namespace vigil::sessions {

using nlohmann::json;

namespace {

constexpr std::size_t max_text = 4096, max_spec = 256 * 1024;

json own_cause(const protocol::Cause& cause) { return json::parse(protocol::encode_cause(cause), nullptr, false); }

Result<protocol::Cause> read_own_cause(const json& object) {
  const auto found = object.find("cause");
  if (found == object.end() || found->is_null()) return Error(Errc::invalid, "cause: missing");
  return protocol::decode_cause(dump_json(*found));
}

json patience_json(const Patience& p) {
  return {{"boot_s", p.boot_s},       {"address_s", p.address_s}, {"user_s", p.user_s},      {"store_s", p.store_s},
          {"deliver_s", p.deliver_s}, {"lease_s", p.lease_s},     {"max_age_s", p.max_age_s}};
}

json credential_json(const protocol::SigninCredential& found) {
  return {{"schema", found.schema}, {"sha256", found.sha256}, {"bytes", found.bytes}};
}

json own_body(const Opened& b) {
  json out = {{"owner", b.owner},
              {"user", b.user},
              {"provider", to_text(b.provider)},
              {"vm_spec", b.vm_spec},
              {"guest_user", b.guest_user},
              {"cli_user", b.cli_user},
              {"actor", b.actor},
              {"cli_vm_spec", b.cli_vm_spec},
              {"patience", patience_json(b.patience)}};
  out["browser_vm"] = b.browser_vm ? json(b.browser_vm->value()) : json(nullptr);
  out["cli_vm"] = b.cli_vm ? json(b.cli_vm->value()) : json(nullptr);
  return out;
}
json own_body(const VmGiven& b) { return {{"vm", b.vm.value()}, {"ownership", to_text(b.ownership)}, {"vm_seq", b.vm_seq}}; }
json own_body(const VmReady&) { return json::object(); }
json own_body(const Resumed&) { return json::object(); }
json own_body(const Stepped& b) {
  json out = {
      {"attempt", b.attempt}, {"step", to_text(b.step)}, {"detail", b.detail}, {"cli_version", b.cli_version}, {"vm_seq", b.vm_seq}};
  if (b.credential) out["credential"] = credential_json(*b.credential);
  if (b.cause) out["cause"] = own_cause(*b.cause);
  return out;
}
json own_body(const Refused& b) { return {{"reason", b.reason}, {"vm_seq", b.vm_seq}}; }
json own_body(const Stored& b) { return {{"version", b.version}, {"bytes", b.bytes}, {"sha256", b.sha256}, {"shape", b.shape}}; }
json own_body(const Forgotten& b) { return {{"problem", b.problem}}; }
json own_body(const Delivered& b) { return {{"vm", b.vm}, {"path", b.path}, {"problem", b.problem}}; }
json own_body(const Checked& b) { return {{"validity", to_text(b.validity)}, {"how", b.how}}; }
json own_body(const Held& b) { return {{"until_unix_us", b.until_unix_us}, {"by", b.by}}; }
json own_body(const DeadlinePassed& b) { return {{"in_use", b.in_use}}; }
json own_body(const VmLost& b) { return {{"cause", own_cause(b.cause)}, {"vm_seq", b.vm_seq}}; }
json own_body(const Broken& b) { return {{"cause", own_cause(b.cause)}}; }
json own_body(const CancelAsked& b) { return {{"actor", b.actor}}; }
json own_body(const VmRemoved& b) { return {{"rule", b.rule}, {"problem", b.problem}}; }

Result<std::optional<InstanceId>> read_vm(const json& object, const char* key) {
  TRY(text, try_read_string(object, key));
  if (!text) return std::optional<InstanceId>();
  TRY(id, parse_instance_id(*text));
  return std::optional(id);
}

Result<std::uint64_t> read_count(const json& object, const char* key) {
  TRY(number, read_integer(object, key));
  return static_cast<std::uint64_t>(number);
}

template <class E>
Result<E> read_word(const json& object, const char* key) {
  TRY(text, read_string(object, key));
  const auto value = parse_enum<E>(text);
  if (!value) return Error(Errc::invalid, std::string(key) + ": \"" + text + "\" is not known");
  return *value;
}

Result<Patience> read_patience(const json& object) {
  Patience p;
  const std::pair<const char*, std::uint32_t*> members[] = {
      {"boot_s", &p.boot_s},       {"address_s", &p.address_s}, {"user_s", &p.user_s},      {"store_s", &p.store_s},
      {"deliver_s", &p.deliver_s}, {"lease_s", &p.lease_s},     {"max_age_s", &p.max_age_s}};
  for (const auto& [key, target] : members) {
    TRY(number, read_integer(object, key, 0, 0xffffffff));
    *target = static_cast<std::uint32_t>(number);
  }
  return p;
}

Result<EventBody> parse_opened(const json& object) {
  Opened b;
  TRY(owner, read_string(object, "owner"));
  TRY(user, read_string(object, "user"));
  TRY(provider, read_word<signin::Provider>(object, "provider"));
  TRY(spec, read_string(object, "vm_spec", max_spec));
  TRY(guest_user, read_string(object, "guest_user"));
  TRY(cli_user, read_string(object, "cli_user"));
  TRY(actor, read_string(object, "actor"));
  TRY(cli_spec, try_read_string(object, "cli_vm_spec", max_spec));   // an older daemon made none
  const json no_vms = {{"browser_vm", object.value("browser_vm", json(nullptr))}, {"cli_vm", object.value("cli_vm", json(nullptr))}};
  json vms = json::object();
  for (const auto& [key, value] : no_vms.items())
    if (!value.is_null()) vms[key] = value;
  TRY(browser, read_vm(vms, "browser_vm"));
  TRY(cli, read_vm(vms, "cli_vm"));
  TRY(patience, read_patience(object.value("patience", json::object())));
  b = Opened{owner, user, provider, spec, browser, cli, guest_user, cli_user, patience, actor, cli_spec.value_or("")};
  return EventBody(std::move(b));
}

Result<EventBody> parse_vm_given(const json& object) {
  TRY(vm, read_vm(object, "vm"));
  TRY(ownership, read_word<Ownership>(object, "ownership"));
  TRY(seq, read_count(object, "vm_seq"));
  if (!vm) return Error(Errc::invalid, "vm: missing");
  return EventBody(VmGiven{*vm, ownership, seq});
}

Result<EventBody> parse_stepped(const json& object) {
  Stepped b;
  TRY(attempt, read_integer(object, "attempt", 1, 0xffffffff));
  TRY(step, read_word<protocol::SigninReport::Step>(object, "step"));
  TRY(detail, read_string(object, "detail", max_text));
  TRY(version, read_string(object, "cli_version", max_text));
  TRY(seq, read_count(object, "vm_seq"));
  b.attempt = static_cast<std::uint32_t>(attempt);
  b.step = step;
  b.detail = detail;
  b.cli_version = version;
  b.vm_seq = seq;
  if (const auto found = object.find("credential"); found != object.end()) {
    TRY(schema, read_string(*found, "schema"));
    TRY(sha256, read_string(*found, "sha256"));
    TRY(bytes, read_count(*found, "bytes"));
    b.credential = protocol::SigninCredential{schema, sha256, bytes};
  }
  if (object.contains("cause")) {
    TRY(cause, read_own_cause(object));
    b.cause = cause;
  }
  return EventBody(std::move(b));
}

Result<EventBody> parse_stored(const json& object) {
  TRY(version, read_count(object, "version"));
  TRY(bytes, read_count(object, "bytes"));
  TRY(sha256, read_string(object, "sha256"));
  TRY(shape, read_string(object, "shape"));
  return EventBody(Stored{version, bytes, sha256, shape});
}

Result<EventBody> parse_delivered(const json& object) {
  TRY(vm, read_string(object, "vm"));
  TRY(path, read_string(object, "path"));
  TRY(problem, read_string(object, "problem"));
  return EventBody(Delivered{vm, path, problem});
}

Result<EventBody> parse_small(std::string_view type, const json& object) {
  if (type == "refused") {
    TRY(reason, read_string(object, "reason"));
    TRY(seq, read_count(object, "vm_seq"));
    return EventBody(Refused{reason, seq});
  }
  if (type == "checked") {
    TRY(validity, read_word<Validity>(object, "validity"));
    TRY(how, read_string(object, "how"));
    return EventBody(Checked{validity, how});
  }
  if (type == "held") {
    TRY(until, read_count(object, "until_unix_us"));
    TRY(by, read_string(object, "by"));
    return EventBody(Held{until, by});
  }
  if (type == "deadline_passed") {
    TRY(in_use, read_bool(object, "in_use"));
    return EventBody(DeadlinePassed{in_use});
  }
  if (type == "vm_lost" || type == "broken") {
    TRY(cause, read_own_cause(object));
    if (type == "broken") return EventBody(Broken{cause});
    TRY(seq, read_count(object, "vm_seq"));
    return EventBody(VmLost{cause, seq});
  }
  if (type == "vm_removed") {
    TRY(rule, read_string(object, "rule"));
    TRY(problem, read_string(object, "problem"));
    return EventBody(VmRemoved{rule, problem});
  }
  if (type == "forgotten") {
    TRY(problem, read_string(object, "problem"));
    return EventBody(Forgotten{problem});
  }
  if (type == "cancel_asked") {
    TRY(actor, read_string(object, "actor"));
    return EventBody(CancelAsked{actor});
  }
  return Error(Errc::unsupported, "session event " + std::string(type) + " is not known");
}

template <class T>
json or_nothing(const std::optional<T>& value) {
  return value ? own_body(*value) : json(nullptr);
}

}  // namespace

std::string event_type(const EventBody& body) {
  constexpr const char* names[] = {"opened",  "vm_given",  "vm_ready",     "resumed",   "step", "refused",
                                   "stored",  "forgotten", "delivered",    "checked",   "held", "deadline_passed",
                                   "vm_lost", "broken",    "cancel_asked", "vm_removed"};
  static_assert(std::size(names) == std::variant_size_v<EventBody>);
  return names[body.index()];
}

std::string encode_body(const EventBody& body) {
  return dump_json(std::visit([](const auto& each) { return own_body(each); }, body));
}

Result<EventBody> decode_body(std::string_view type, std::string_view text) {
  TRY(object, parse_json(text));
  if (!object.is_object()) return Error(Errc::invalid, "a session event is no object");
  if (type == "opened") return parse_opened(object);
  if (type == "vm_given") return parse_vm_given(object);
  if (type == "vm_ready") return EventBody(VmReady{});
  if (type == "resumed") return EventBody(Resumed{});
  if (type == "step") return parse_stepped(object);
  if (type == "stored") return parse_stored(object);
  if (type == "delivered") return parse_delivered(object);
  return parse_small(type, object);
}

std::string served_event(const Event& event, State state) {
  auto body = std::visit([](const auto& each) { return own_body(each); }, event.body);
  if (const auto* const stepped = std::get_if<Stepped>(&event.body); stepped != nullptr && !stepped->url.empty())
    body["url"] = stepped->url;
  return dump_json({{"seq", event.seq},
                    {"session", event.session},
                    {"type", event_type(event.body)},
                    {"at_unix_us", event.at_unix_us},
                    {"state", to_text(state)},
                    {"body", body}});
}

void forget_url(std::string& served) {
  if (served.find("\"url\"") == std::string::npos) return;
  auto event = json::parse(served, nullptr, false);
  if (!event.is_object() || !event.contains("body") || !event["body"].is_object()) return;
  event["body"].erase("url");
  served = dump_json(event);
}

json session_json(const Session& session) {
  json out = {{"id", session.id},
              {"user", session.order.user},
              {"provider", to_text(session.order.provider)},
              {"state", to_text(session.state)},
              {"ended", is_terminal(session.state)},
              {"attempt", session.attempt},
              {"created_unix_us", session.history.empty() ? 0 : session.history.front().at_unix_us},
              {"deadline_unix_us", session.deadline_unix_us},
              {"lease_unix_us", session.lease_unix_us},
              {"cli_version", session.cli_version},
              {"refusals", session.refusals},
              {"last_refusal", session.last_refusal}};
  out["owner"] = session.order.owner.empty() ? json(nullptr) : json(session.order.owner);
  out["browser_vm"] = session.vm ? json(session.vm->value()) : json(nullptr);
  out["browser_vm_is_ours"] = session.vm && session.ownership == Ownership::made;
  out["cli_vm"] = session.order.cli_vm ? json(session.order.cli_vm->value()) : json(nullptr);
  out["url"] = session.url.empty() ? json(nullptr) : json(session.url);
  out["stored"] = or_nothing(session.stored);
  out["delivered"] = or_nothing(session.delivered);
  out["checked"] = or_nothing(session.checked);
  out["history"] = json::array();
  for (const auto& reached : session.history)
    out["history"].push_back({{"state", to_text(reached.state)}, {"at_unix_us", reached.at_unix_us}});
  out["cause"] = nullptr;
  if (session.cause) {
    out["cause"] = own_cause(*session.cause);
    out["cause"]["sentence"] = protocol::sentence(*session.cause);
    out["cause"]["advice"] = protocol::advice(*session.cause);
  }
  return out;
}

}  // namespace vigil::sessions
