#include "host/ports/forward.hpp"

#include "host/http1/hop.hpp"

#include <charconv>

namespace vigil::ports {

namespace {

constexpr std::string_view who_it_is[] = {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-prefix",
                                          "x-forwarded-server", "x-real-ip"};

/// N of "wait=N"; nullopt for every other preference.
std::optional<std::chrono::seconds> wait_of(std::string_view preference) {
    constexpr std::string_view name = "wait=";
    if (preference.size() <= name.size() || !http1::equals_ignoring_case(preference.substr(0, name.size()), name)) return std::nullopt;
    unsigned seconds = 0;
    const auto text = preference.substr(name.size());
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return std::chrono::seconds(seconds);
}

/// Preferences that are not ours.
void keep_foreign_preferences(http1::Fields& fields) {
    std::string others;
    for (const auto& each : http1::list_of(fields, "prefer"))
        if (!wait_of(each)) others += (others.empty() ? "" : ", ") + each;
    http1::remove_fields(fields, "prefer");
    if (!others.empty()) fields.push_back({"Prefer", others});
}

}  // namespace

Result<Asked> read_asked(const http1::RequestHead& head) {
    Asked asked;
    TRY(framing, http1::request_framing(head));
    asked.framing = framing;
    if (head.minor == 1) asked.upgrade = http1::upgrade_of(head.fields);
    if (asked.framing.kind != http1::Framing::Kind::none) asked.upgrade.reset();   // with a body it would not be clear where the new protocol begins
    asked.keep_alive = head.minor == 1 && !http1::lists(head.fields, "connection", "close");
    for (const auto& preference : http1::list_of(head.fields, "prefer"))
        if (const auto wait = wait_of(preference)) asked.wait = wait;
    return asked;
}

Result<http1::RequestHead> for_guest(http1::RequestHead head, const Address& address, const Asked& asked, const std::string& peer) {
    const bool takes_trailers = http1::lists(head.fields, "te", "trailers");
    TRY(host, http1::single_field(head.fields, "host"));
    TRY_VOID(http1::remove_hop_fields(head.fields));
    for (const auto name : who_it_is) http1::remove_fields(head.fields, name);
    keep_foreign_preferences(head.fields);
    head.target = address.target;
    head.fields.push_back({"X-Forwarded-For", peer});
    head.fields.push_back({"X-Forwarded-Proto", "http"});
    if (host) head.fields.push_back({"X-Forwarded-Host", *host});
    if (!address.prefix.empty()) head.fields.push_back({"X-Forwarded-Prefix", address.prefix});
    if (takes_trailers) head.fields.push_back({"TE", "trailers"});
    head.fields.push_back({"Connection", asked.upgrade ? "Upgrade" : takes_trailers ? "TE, close" : "close"});
    if (asked.upgrade) head.fields.push_back({"Upgrade", *asked.upgrade});
    return head;
}

Result<http1::ResponseHead> for_client(http1::ResponseHead head, After after, int client_minor) {
    const auto upgrade = http1::upgrade_of(head.fields);
    TRY_VOID(http1::remove_hop_fields(head.fields));
    head.minor = client_minor;
    if (after == After::close) head.fields.push_back({"Connection", "close"});
    if (after == After::upgrade) {
        if (!upgrade) return Error(Errc::protocol, "101 without the protocol that it changes to");
        head.fields.push_back({"Connection", "Upgrade"});
        head.fields.push_back({"Upgrade", *upgrade});
    }
    return head;
}

}  // namespace vigil::ports
