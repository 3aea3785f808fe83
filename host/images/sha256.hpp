// SHA-256 as lower-case hex (FIPS 180-4).
#pragma once

#include "shared/base/result.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace vigil::images {

/// Only 0-9 and a-f; also true of "".
constexpr bool is_lower_hex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

std::string sha256_hex(std::string_view bytes);
/// Reads the whole file; errors of the system.
Result<std::string> sha256_of_file(const std::filesystem::path& path);

}  // namespace vigil::images
