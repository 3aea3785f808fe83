// "vm-0123456789-3": the run that a box is of; its file is that and ".tar.zst". Errors: Errc::invalid.
#pragma once

#include "shared/base/ids.hpp"
#include "shared/base/result.hpp"

#include <charconv>
#include <string>
#include <string_view>

namespace vigil::blackbox {

inline constexpr std::string_view box_suffix = ".tar.zst";

struct BoxName {
    InstanceId instance;
    RunNumber run;
    friend bool operator==(const BoxName&, const BoxName&) = default;
    std::string text() const { return instance.value() + "-" + std::to_string(run.value()); }
    std::string file() const { return text() + std::string(box_suffix); }
};

inline Result<BoxName> parse_box_name(std::string_view text) {
    const auto dash = text.rfind('-');
    const auto digits = text.substr(dash == text.npos ? text.size() : dash + 1);
    std::uint32_t run = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), run);
    const auto instance = parse_instance_id(text.substr(0, dash == text.npos ? 0 : dash));
    if (failure != std::errc() || end != digits.data() + digits.size() || run == 0 || !instance)
        return Error(Errc::invalid, "'" + std::string(text.substr(0, 64)) + "' names no black box (INSTANCE-ID-RUN, like vm-0123456789-1)");
    return BoxName{*instance, RunNumber(run)};
}

}  // namespace vigil::blackbox
