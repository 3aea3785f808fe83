#include "guest/boot/modules.hpp"

#include "guest/log/log.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace vigil::guest::boot {
namespace {

protocol::Cause missing(const std::string& file, const std::string& why) {
  return protocol::make_cause(protocol::CauseCode::boot_module_missing, {{"module", file}}, {why});
}

std::optional<protocol::Cause> load_module(const std::string& file) {
  const std::string path = "/lib/modules/" + file;
  const UniqueFd module(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!module) return missing(file, path + ": " + std::strerror(errno));
  if (::syscall(SYS_finit_module, module.get(), "", 0) == 0 || errno == EEXIST) return std::nullopt;
  if (errno == ENODEV) {   // the driver of a device that this VM does not have
    log::info("module.no_device", {{"module", file}});
    return std::nullopt;
  }
  // ENOENT here means that a symbol is unknown: a dependency is missing, or it was built for another kernel.
  return missing(file, path + (errno == ENOENT ? ": a symbol that it needs is unknown to this kernel" : std::string(": ") + std::strerror(errno)));
}

}  // namespace

std::vector<std::string> parse_module_list(std::string_view text) {
  std::vector<std::string> files;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.empty() && !line.starts_with('#')) files.emplace_back(line);
  }
  return files;
}

std::optional<protocol::Cause> load_modules(const std::vector<std::string>& files, const std::function<void(const std::string&)>& loaded) {
  for (const std::string& file : files) {
    if (auto cause = load_module(file)) return cause;
    loaded(file);
  }
  return std::nullopt;
}

}  // namespace vigil::guest::boot
