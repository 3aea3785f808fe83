#include "guest/signin/installed_version.hpp"

#include "guest/process/small_file.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <climits>
#include <cstdlib>

namespace vigil::guest::signin {

namespace {
constexpr int levels_up = 3;   // PACKAGE/bundle/program.js, PACKAGE/vendor/bin/program
constexpr std::size_t max_package_bytes = 64 * 1024, max_version_bytes = 40;
}  // namespace

std::string installed_version(const std::string& program) {
  char resolved[PATH_MAX];
  if (::realpath(program.c_str(), resolved) == nullptr) return "";
  std::string directory = resolved;
  for (int level = 0; level < levels_up && directory.rfind('/') != 0; ++level) {
    directory.erase(directory.rfind('/'));
    const auto text = process::read_small_file(directory + "/package.json", max_package_bytes);
    if (!text) continue;
    const auto package = parse_json(*text, {.max_bytes = max_package_bytes, .max_depth = 8, .max_values = 4096});
    if (!package || !package->is_object()) return "";
    const auto version = read_string(*package, "version", max_version_bytes);
    const bool is_plain =
        version && version->find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+-") == std::string::npos;
    return is_plain ? *version : "";
  }
  return "";
}

}  // namespace vigil::guest::signin
