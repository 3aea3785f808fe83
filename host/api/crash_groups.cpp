#include "host/api/crash_groups.hpp"

#include "host/machine/crash_cause.hpp"
#include "host/verdict/fingerprint.hpp"
#include "host/verdict/verdict.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <vector>

namespace vigil::api {

using nlohmann::json;

json crash_index_json(const machine::VmState& state) {
    json list = json::array();
    if (!state.run) return list;
    for (const auto& crash : state.run->crashes) {
        const auto cause = machine::cause_of(crash);
        list.push_back({{"fingerprint", verdict::fingerprint(crash)}, {"crash", crash.report.crash},   {"service", crash.report.service},
                        {"process", crash.report.process},            {"code", cause.text},            {"sentence", protocol::sentence(cause)},
                        {"where", verdict::place_of(crash)},          {"at_unix_us", crash.at_unix_us}});
    }
    const auto& end = state.run->end;
    const bool died = end && state.announced && state.announced->cause &&
                      (state.announced->state == protocol::RunState::crashed || state.announced->state == protocol::RunState::failed);
    if (!died) return list;
    const auto& cause = *state.announced->cause;
    list.push_back({{"fingerprint", verdict::fingerprint(cause)}, {"crash", "vm"}, {"service", state.announced->service}, {"process", ""},
                    {"code", cause.text}, {"sentence", protocol::sentence(cause)}, {"where", ""}, {"at_unix_us", end->at_unix_us}});
    return list;
}

void CrashGroups::add(const std::string& instance, std::uint32_t run, const json& crash_index) {
    if (!crash_index.is_array()) return;
    for (const auto& crash : crash_index) {
        if (!crash.is_object() || !crash.contains("fingerprint") || !crash["fingerprint"].is_string()) continue;
        const auto key = crash["fingerprint"].get<std::string>();
        auto& group = groups_[key];
        const auto at = crash.value("at_unix_us", std::uint64_t{0});
        if (!group && groups_.size() > max_groups) {
            groups_.erase(key);
            continue;
        }
        if (!group) {
            group = std::make_shared<json>(crash);
            group->erase("crash");
            group->erase("at_unix_us");
            group->update({{"count", 0}, {"first_unix_us", at}, {"last_unix_us", at}, {"runs", json::array()}});
        }
        auto& known = *group;
        known["count"] = known["count"].get<std::uint64_t>() + 1;
        known["first_unix_us"] = std::min(known["first_unix_us"].get<std::uint64_t>(), at);
        known["last_unix_us"] = std::max(known["last_unix_us"].get<std::uint64_t>(), at);
        const json place = {{"instance", instance}, {"run", run}};
        auto& places = known["runs"];
        if (places.size() < max_places && std::ranges::find(places, place) == places.end()) places.push_back(place);
    }
}

json CrashGroups::list() const {
    std::vector<std::shared_ptr<json>> sorted;
    for (const auto& each : groups_) sorted.push_back(each.second);
    const auto count = [](const std::shared_ptr<json>& group) { return group->at("count").get<std::uint64_t>(); };
    std::ranges::sort(sorted, std::ranges::greater(), count);
    json groups = json::array();
    for (const auto& group : sorted) groups.push_back(*group);
    return groups;
}

}  // namespace vigil::api
