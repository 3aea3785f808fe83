// SHA-256 as lower-case hex (FIPS 180-4).
#pragma once

#include "shared/base/result.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace vigil::images {

std::string sha256_hex(std::string_view bytes);
/// Reads the whole file; errors of the system.
Result<std::string> sha256_of_file(const std::filesystem::path& path);

}  // namespace vigil::images
