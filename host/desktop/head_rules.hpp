// What a request to the desktop's door must look like before anything else is asked: for which VM it is, and that no foreign page sent it.
//
// Shape:  each VM is an origin of its own, http://ID.localhost:PORT. Cookies know no ports, so a host that is shared with anything else would give them away; no
//         port of a VM has such a host (these have "--" in them), and what a page of one VM may do, it may do to that VM alone.
// Source: RFC 6265 (cookies), RFC 6454 (Origin), Fetch Metadata (Sec-Fetch-Site, Sec-Fetch-Mode), RFC 6761 6.3 (localhost names are this machine's).
#pragma once

#include "host/ports/refusal.hpp"
#include "shared/base/ids.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace vigil::desktop {

inline constexpr std::string_view cookie_name = "vigil_desktop";

/// The fields that count, empty where they are not sent.
struct Head {
  std::string path;  // without its query
  std::string host, origin, fetch_site, fetch_mode;
};

/// The VM, or why it is not asked.
std::variant<InstanceId, ports::Refusal> vm_of(const Head& head);

/// The cookie of that name out of the field; nullopt: there is none, or two that differ.
std::optional<std::string> cookie_of(std::string_view field, std::string_view name);

}  // namespace vigil::desktop
