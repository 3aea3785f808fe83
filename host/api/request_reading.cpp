#include "host/api/request_reading.hpp"

#include "shared/base/encoding.hpp"

#include <charconv>

namespace vigil::api {

namespace {
constexpr std::size_t max_actor_bytes = 128;
}

std::string actor_of(const Context& context, const Request& request) {
    const auto named = request.query_value("actor");
    const bool is_local = request.peer.is_local && !request.header("authorization");
    if (is_local && named && !named->empty()) return escape_for_terminal(named->substr(0, max_actor_bytes), Lines::escape);
    return is_local ? "uid " + std::to_string(request.peer.uid) : context.caller.name;
}

Result<store::InstanceRow> visible_instance(const Context& context, const std::string& name) {
    auto row = context.store.find_instance(name);
    if (context.caller.sees_all()) return row;
    // A prefix that fits several would name those of others: it fits none.
    if (row && context.caller.sees(row->spec.owner)) return row;
    if (!row && row.error().code() != Errc::not_found && row.error().code() != Errc::conflict) return row;
    return Error(Errc::not_found, "there is no instance \"" + name + "\"");
}

Result<std::optional<RunNumber>> run_of(const Request& request) {
    const auto text = request.query_value("run");
    if (!text) return std::optional<RunNumber>();
    std::uint32_t number = 0;
    const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (failure != std::errc() || end != text->data() + text->size() || number == 0) return Error(Errc::invalid, "run: not a positive number");
    return std::optional(RunNumber(number));
}

Result<bool> flag_of(const Request& request, const std::string& key) {
    const auto text = request.query_value(key);
    if (!text || *text == "0") return false;
    if (text->empty() || *text == "1") return true;
    return Error(Errc::invalid, key + ": 0 or 1");
}

Result<Look> look_at(const Context& context, const Request& request) {
    TRY(run, run_of(request));
    return context.control.look(request.parameter("id"), run);
}

Result<InstanceId> existing_id(const Context& context, const Request& request) {
    TRY(row, visible_instance(context, request.parameter("id")));
    if (row.removed_unix_us) return Error(Errc::not_found, "instance " + row.name.value() + " (" + row.id.value() + ") was removed");
    return row.id;
}

}  // namespace vigil::api
