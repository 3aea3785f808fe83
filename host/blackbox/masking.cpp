#include "host/blackbox/masking.hpp"

#include "host/logs/masker.hpp"
#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::blackbox {

namespace {

constexpr JsonLimits own_limits{.max_bytes = 16 << 20, .max_depth = 32, .max_values = 1'000'000};

void mask(nlohmann::json& value, const std::string& key, const std::vector<std::string>& values) {
    if (value.is_object()) {
        for (auto& [name, member] : value.items()) mask(member, name, values);
    } else if (value.is_array()) {
        for (auto& member : value) mask(member, key, values);
    } else if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        const auto bytes = key.ends_with("_b64") ? from_base64(text) : Result<std::string>(Error(Errc::invalid, "no base64"));
        value = bytes ? to_base64(logs::masked(*bytes, values)) : logs::masked(text, values);
    }
}

}  // namespace

std::string masked_json(const std::string& text, const std::vector<std::string>& values) {
    if (values.empty()) return text;
    auto parsed = parse_json(text, own_limits);
    if (!parsed) return logs::masked(text, values);
    mask(*parsed, "", values);
    return dump_json(*parsed);
}

}  // namespace vigil::blackbox
