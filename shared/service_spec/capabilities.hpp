// Linux capabilities by name, as a set of bits.
//
// Shape:  pure; bit N of a set is capability N of linux/capability.h.
// Source: capabilities(7).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace vigil::service_spec {

/// "CAP_NET_BIND_SERVICE" -> 10; nullopt for a name that Linux does not have.
std::optional<unsigned> capability_number(std::string_view name);

}  // namespace vigil::service_spec
