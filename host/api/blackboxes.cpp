// What is kept of runs that have ended: list, look, fetch; and equal crashes over all of it and what runs now.
#include "host/api/crash_groups.hpp"
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/blackbox/shelf.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <set>

namespace vigil::api {

namespace {

using nlohmann::json;

/// A box holds what a guest said: its index is read as any other input.
json index_of(const blackbox::BoxFacts& facts) {
    auto index = parse_json(facts.index_json, {.max_bytes = 1 << 20, .max_depth = 16, .max_values = 100'000});
    return index && index->is_object() ? std::move(*index) : json::object();
}

json facts_json(const blackbox::BoxFacts& facts) {
    json out = index_of(facts);
    if (facts.index_json.empty()) out["damaged"] = true;
    out["box"] = facts.stored.name.text();
    out["instance"] = facts.stored.name.instance.value();
    out["run"] = facts.stored.name.run.value();
    out["bytes"] = facts.stored.bytes;
    out["made_unix_us"] = facts.stored.made_unix_us;
    return out;
}

json contents_json(const blackbox::BoxContents& contents) {
    json out = facts_json(contents.facts);
    out["entries"] = json::array();
    for (const auto& entry : contents.entries) out["entries"].push_back({{"name", entry.name}, {"bytes", entry.bytes}});
    auto why = parse_json(contents.why_json, {.max_bytes = 1 << 20, .max_depth = 16, .max_values = 100'000});
    out["why"] = why ? std::move(*why) : json(nullptr);
    return out;
}

/// Of whose runs the caller may see boxes; asked when the list is there.
std::function<bool(const InstanceId&)> own_boxes(const Context& context) {
    return [&store = context.store, caller = context.caller](const InstanceId& id) {
        if (caller.sees_all()) return true;
        const auto row = store.find_instance(id.value());
        return row && row->id == id && caller.sees(row->spec.owner);
    };
}

}  // namespace

void list_blackboxes(const Context& context, const Request&, const Reply& reply) {
    context.control.shelf().list([reply, is_own = own_boxes(context)](Result<std::vector<blackbox::BoxFacts>> boxes) {
        if (!boxes) return reply.send(to_response(boxes.error()));
        auto list = json::array();
        for (const auto& box : *boxes)
            if (is_own(box.stored.name.instance)) list.push_back(facts_json(box));
        reply.send(http::json_response(200, list));
    });
}

void get_blackbox(const Context& context, const Request& request, const Reply& reply) {
    const auto name = blackbox::parse_box_name(request.parameter("box"));
    if (!name) return reply.send(to_response(name.error()));
    context.control.shelf().show(*name, [reply](Result<blackbox::BoxContents> contents) {
        if (!contents) return reply.send(to_response(contents.error()));
        reply.send(http::json_response(200, contents_json(*contents)));
    });
}

void export_blackbox(const Context& context, const Request& request, const Reply& reply) {
    const auto name = blackbox::parse_box_name(request.parameter("box"));
    if (!name) return reply.send(to_response(name.error()));
    context.control.shelf().read(*name, [reply](Result<std::string> bytes) {
        if (!bytes) return reply.send(to_response(bytes.error()));
        reply.send({200, "application/zstd", std::move(*bytes), {}});
    });
}

void group_crashes(const Context& context, const Request&, const Reply& reply) {
    context.control.shelf().list([reply, &control = context.control, is_own = own_boxes(context)](Result<std::vector<blackbox::BoxFacts>> boxes) {
        if (!boxes) return reply.send(to_response(boxes.error()));
        CrashGroups groups;
        std::set<std::string> boxed;
        for (const auto& box : *boxes) {
            if (!is_own(box.stored.name.instance)) continue;
            const auto index = index_of(box);
            boxed.insert(box.stored.name.text());
            if (index.contains("crashes")) groups.add(box.stored.name.instance.value(), box.stored.name.run.value(), index["crashes"]);
        }
        for (const auto& look : control.existing()) {
            if (!look.state.run || !is_own(look.row.id)) continue;
            const blackbox::BoxName name{look.row.id, look.state.run->number};
            if (!boxed.contains(name.text())) groups.add(name.instance.value(), name.run.value(), crash_index_json(look.state));
        }
        reply.send(http::json_response(200, groups.list()));
    });
}

}  // namespace vigil::api
