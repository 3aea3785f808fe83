// The policies of a VM: what they would do now or later and why, who holds it, its lease, a pause with an end.
#include "host/api/error_to_http.hpp"
#include "host/api/or_null.hpp"
#include "host/api/request_reading.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace vigil::api {

using nlohmann::json;

namespace {

constexpr std::int64_t longest_s = 366LL * 24 * 3600;
constexpr std::size_t max_holder_bytes = 64;

json holders_json(const std::vector<policy::Holder>& holders) {
  json all = json::array();
  for (const auto& each : holders)
    all.push_back(
        {{"kind", vigil::to_text(each.kind)}, {"name", each.name}, {"until_unix_us", each.until == 0 ? json(nullptr) : json(each.until)}});
  return all;
}

json decision_json(const policy::Decision& decision) {
  return {{"rule", vigil::to_text(decision.rule)},
          {"action", vigil::to_text(decision.action)},
          {"verdict", vigil::to_text(decision.verdict)},
          {"due_unix_us", decision.due},
          {"why", decision.why},
          {"inputs", decision.inputs},
          {"thresholds", decision.thresholds},
          {"holders", holders_json(decision.holders)}};
}

json look_json(const PolicyLook& look) {
  json out = {{"lease_s", look.settings.lease_s},
              {"idle_s", look.settings.idle_s},
              {"expire_s", look.settings.expire_s},
              {"at_unix_us", look.facts.now},
              {"last_used_unix_us", look.facts.last_used},
              {"lease_until_unix_us", or_null(look.facts.lease_until)},
              {"holders", holders_json(look.facts.holders)},
              {"decisions", json::array()}};
  out["paused_until_unix_us"] = look.facts.paused_until > look.facts.now ? json(look.facts.paused_until) : json(nullptr);
  for (const auto& each : look.decisions) out["decisions"].push_back(decision_json(each));
  return out;
}

Result<std::chrono::seconds> later_of(const Request& request) {
  const auto text = request.query_value("in_s");
  if (!text) return std::chrono::seconds(0);
  std::int64_t seconds = 0;
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  const bool is_whole = failure == std::errc() && end == text->data() + text->size();
  if (!is_whole || seconds < 0 || seconds > longest_s)
    return Error(Errc::invalid, "in_s: not a number of seconds from 0 to " + std::to_string(longest_s));
  return std::chrono::seconds(seconds);
}

/// What the three orders have in common: which VM, until when (0: from now on no more), and who says it.
struct Until {
  InstanceId id;
  UnixUs until = 0;
  std::string actor, holder;
};

Result<Until> read_until(const Context& context, const Request& request, bool names_holder, std::int64_t least) {
  TRY(id, existing_id(context, request));
  TRY(body, parse_json(request.body));
  if (!body.is_object()) return Error(Errc::invalid, "the body must be a JSON object");
  if (names_holder)
    TRY_VOID(refuse_unknown_keys(body, {"for_s", "holder"}));
  else
    TRY_VOID(refuse_unknown_keys(body, {"for_s"}));
  TRY(seconds, read_integer(body, "for_s", least, longest_s));
  TRY(holder, try_read_string(body, "holder", max_holder_bytes));
  TRY(look, context.control.policy(id, std::chrono::seconds(0)));
  Until until{id, 0, actor_of(context, request), holder.value_or("")};
  if (seconds > 0) until.until = look.facts.now + static_cast<UnixUs>(seconds) * 1'000'000;
  if (until.holder.empty()) until.holder = until.actor;
  return until;
}

void carry_out(const Context& context, const Reply& reply, const InstanceId& id, PolicyOrder order) {
  if (const auto done = context.control.order(id, std::move(order)); !done) return reply.send(to_response(done.error()));
  const auto look = context.control.policy(id, std::chrono::seconds(0));
  reply.send(look ? http::json_response(200, look_json(*look)) : to_response(look.error()));
}

}  // namespace

void get_policy(const Context& context, const Request& request, const Reply& reply) {
  const auto id = existing_id(context, request);
  if (!id) return reply.send(to_response(id.error()));
  const auto later = later_of(request);
  if (!later) return reply.send(to_response(later.error()));
  const auto look = context.control.policy(*id, *later);
  reply.send(look ? http::json_response(200, look_json(*look)) : to_response(look.error()));
}

void pause_policy(const Context& context, const Request& request, const Reply& reply) {
  const auto asked = read_until(context, request, false, 0);
  if (!asked) return reply.send(to_response(asked.error()));
  carry_out(context, reply, asked->id, machine::PolicyPaused{asked->until, asked->actor});
}

void set_hold(const Context& context, const Request& request, const Reply& reply) {
  const auto asked = read_until(context, request, true, 0);
  if (!asked) return reply.send(to_response(asked.error()));
  carry_out(context, reply, asked->id, machine::HoldSet{asked->holder, asked->until, asked->actor});
}

void set_lease(const Context& context, const Request& request, const Reply& reply) {
  const auto asked = read_until(context, request, false, 1);
  if (!asked) return reply.send(to_response(asked.error()));
  carry_out(context, reply, asked->id, machine::LeaseSet{asked->until, asked->actor});
}

}  // namespace vigil::api
