#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/to_json.hpp"
#include "host/images/sha256.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace vigil::api {

namespace {

constexpr std::size_t max_key_bytes = 128;

struct Creation {
    InstanceId id;
    bool is_new = true;
};

Result<std::string> key_of(const Request& request) {
    const auto key = request.header("idempotency-key");
    if (!key) return std::string();
    const bool is_plain = std::ranges::all_of(*key, [](unsigned char each) { return each > 0x20 && each < 0x7f; });
    if (key->empty() || key->size() > max_key_bytes || !is_plain) return Error(Errc::invalid, "Idempotency-Key: not 1 to 128 printable characters without blanks");
    return *key;
}

/// The instance that an earlier request with this key has made, also when it was removed since.
Result<std::optional<InstanceId>> made_before(const Context& context, const std::string& owner, const std::string& key, const std::string& sum) {
    TRY(existing, context.store.instances());
    TRY(removed, context.store.removed_instances());
    for (const auto* list : {&existing, &removed})
        for (const auto& row : *list) {
            if (row.spec.create_key != key || row.spec.owner != owner) continue;
            if (row.spec.create_sum == sum) return std::optional(row.id);
            return Error(Errc::conflict, "Idempotency-Key: it was used for another request, which made " + row.id.value() + "; take a new one");
        }
    return std::optional<InstanceId>();
}

/// Whose it will be: the caller's; an admin may name another.
Result<std::string> owner_of(const Context& context, const machine::InstanceSpec& spec) {
    if (spec.owner.empty() || spec.owner == context.caller.owner) return context.caller.owner;
    if (!context.caller.sees_all()) return Error(Errc::denied, "owner: only admins make instances for others; leave it out");
    return access::parse_owner(spec.owner);
}

Result<Creation> create(const Context& context, const Request& request, bool start) {
    TRY(spec, machine::parse_spec(request.body));
    if (!spec.create_key.empty() || !spec.create_sum.empty()) return Error(Errc::invalid, "create_key: not a member of a request; send the header Idempotency-Key");
    TRY(owner, owner_of(context, spec));
    spec.owner = owner;
    TRY(key, key_of(request));
    if (!key.empty()) {
        spec.create_key = key;
        spec.create_sum = images::sha256_hex(key + (start ? "1" : "0") + request.body);
        TRY(before, made_before(context, spec.owner, key, spec.create_sum));
        if (before) return Creation{*before, false};
    }
    const auto actor = actor_of(context, request);
    TRY(id, context.control.create(spec, actor));
    if (!start) return Creation{id};
    const auto started = context.control.start(id, actor);
    if (started) return Creation{id};
    // The answer will be that nothing was made, so nothing may stay.
    context.control.remove(id, Removal::kill_first, actor, [](const Result<void>&) {});
    return started.error();
}

}  // namespace

namespace {

void answer_with_new(const Context& context, const Request& request, const Reply& reply, bool start) {
    const auto made = create(context, request, start);
    if (!made) return reply.send(to_response(made.error()));
    const auto look = context.control.look(made->id.value(), std::nullopt);
    if (!look) return reply.send(to_response(look.error()));
    auto response = http::json_response(made->is_new ? 201 : 200, instance_json(*look));
    response.headers.emplace_back("Location", "/v1/instances/" + made->id.value());
    if (!made->is_new) response.headers.emplace_back("Idempotent-Replayed", "true");
    reply.send(std::move(response));
}

}  // namespace

void create_instance(const Context& context, const Request& request, const Reply& reply) {
    const auto start = flag_of(request, "start");
    if (!start) return reply.send(to_response(start.error()));
    answer_with_new(context, request, reply, *start);
}

/// For clients of sandboxes, which know none that does not run.
void start_new_instance(const Context& context, const Request& request, const Reply& reply) { answer_with_new(context, request, reply, true); }

void list_instances(const Context& context, const Request&, const Reply& reply) {
    auto list = nlohmann::json::array();
    for (const auto& look : context.control.existing())
        if (context.caller.sees(look.row.spec.owner)) list.push_back(instance_json(look));
    reply.send(http::json_response(200, list));
}

void get_instance(const Context& context, const Request& request, const Reply& reply) {
    const auto look = look_at(context, request);
    reply.send(look ? http::json_response(200, instance_json(*look)) : to_response(look.error()));
}

void remove_instance(const Context& context, const Request& request, const Reply& reply) {
    const auto force = flag_of(request, "force");
    const auto id = existing_id(context, request);
    if (!force) return reply.send(to_response(force.error()));
    if (!id) return reply.send(to_response(id.error()));
    context.control.remove(*id, *force ? Removal::kill_first : Removal::only_when_stopped, actor_of(context, request), [reply](Result<void> removed) {
        reply.send(removed ? http::empty_response(204) : to_response(removed.error()));
    });
}

}  // namespace vigil::api
