#include "host/http1/hop.hpp"

#include <algorithm>
#include <span>

namespace vigil::http1 {

namespace {

constexpr std::string_view hop_fields[] = {"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
                                           "proxy-authentication-info", "te", "upgrade", "http2-settings"};
constexpr std::string_view never_named[] = {"host", "content-length", "transfer-encoding", "trailer"};

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
    return std::ranges::any_of(names, [&](std::string_view each) { return equals_ignoring_case(each, name); });
}

}  // namespace

Result<void> remove_hop_fields(Fields& fields) {
    const auto named = list_of(fields, "connection");
    for (const auto& name : named)
        if (is_one_of(name, never_named)) return Error(Errc::invalid, "Connection names " + name + ", which is not of one hop");
    std::erase_if(fields, [&](const Field& field) {
        return is_one_of(field.name, hop_fields) || std::ranges::any_of(named, [&](const auto& name) { return equals_ignoring_case(name, field.name); });
    });
    return {};
}

std::optional<std::string> upgrade_of(const Fields& fields) {
    if (!lists(fields, "connection", "upgrade")) return std::nullopt;
    const auto protocols = list_of(fields, "upgrade");
    if (protocols.empty()) return std::nullopt;
    std::string text;
    for (const auto& each : protocols) text += (text.empty() ? "" : ", ") + each;
    return text;
}

}  // namespace vigil::http1
