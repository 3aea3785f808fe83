// SHA-256 as lower-case hex, small and without a library: the guest is static. Source: FIPS 180-4.
#pragma once

#include <string>
#include <string_view>

namespace vigil::signin {

std::string sha256_hex(std::string_view bytes);

}  // namespace vigil::signin
