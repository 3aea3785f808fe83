#include "host/desktop/novnc_files.hpp"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace vigil::desktop {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t max_files = 512, max_bytes = 8 << 20;
}

std::map<std::string, std::string> read_novnc(const std::string& directory) {
  std::map<std::string, std::string> files;
  std::size_t total = 0;
  std::error_code failure;
  for (fs::recursive_directory_iterator each(directory, failure), end; !failure && each != end; each.increment(failure)) {
    if (each->path().extension() != ".js" || !each->is_regular_file(failure)) continue;
    std::ifstream file(each->path(), std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    total += text.size();
    if (files.size() == max_files || total > max_bytes) {
      spdlog::warn("desktop.novnc_too_large directory={} files={} bytes={}", directory, files.size(), total);
      return {};
    }
    files[each->path().lexically_relative(directory).generic_string()] = std::move(text);
  }
  return files;
}

}  // namespace vigil::desktop
