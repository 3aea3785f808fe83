#include "host/guest_link/admission.hpp"

#include <algorithm>

namespace vigil::guest_link {

namespace {

using protocol::CauseCode;

std::string versions(const std::vector<std::uint32_t>& protocols) {
    std::string out;
    for (const auto version : protocols) out += (out.empty() ? "" : " ") + std::to_string(version);
    return out.empty() ? "none" : out;
}

Admission refuse(std::string reason) { return {false, std::move(reason), std::nullopt}; }

Admission unfit(CauseCode code, std::map<std::string, protocol::CauseField> fields) {
    auto cause = protocol::make_cause(code, std::move(fields));
    auto reason = protocol::sentence(cause);
    return {false, std::move(reason), std::move(cause)};
}

}  // namespace

Admission judge_hello(const protocol::Hello& hello, const BootId& boot, const KnownBoot& known) {
    if (known.bound_boot && *known.bound_boot != boot)
        return refuse("a hello of boot " + boot.value() + ", but this run's boot is " + known.bound_boot->value());
    if (known.token == TokenCheck::differs)
        return refuse(hello.token.empty() ? "a hello without the token of its boot" : "a hello with a wrong token");
    if (std::ranges::find(hello.protocols, protocol::protocol_version) == hello.protocols.end())
        return unfit(CauseCode::boot_agent_skew, {{"host", std::to_string(protocol::protocol_version)}, {"guest", versions(hello.protocols)}});
    const bool image_fits = hello.image_digest.empty() || known.image_digest.empty() || hello.image_digest == known.image_digest ||
                            hello.image_digest == known.image_id;
    if (!image_fits)
        return unfit(CauseCode::boot_image_mismatch, {{"expected", known.image_digest}, {"found", hello.image_digest}});
    return {true, "", std::nullopt};
}

}  // namespace vigil::guest_link
