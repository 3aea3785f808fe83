#include "host/images/image_gc.hpp"

#include "host/images/image_store.hpp"
#include "host/images/sha256.hpp"
#include "shared/base/ids.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace vigil::images {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view aside_prefix = ".gc-";
constexpr std::uint64_t block_bytes = 512;  // st_blocks, whatever the file system's own
constexpr std::size_t whole_digest = 64;

std::vector<fs::path> folders_in(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code failure;
  for (fs::directory_iterator entry(directory, failure), end; !failure && entry != end; entry.increment(failure)) {
    std::error_code ignored;
    if (entry->is_directory(ignored) && !entry->is_symlink(ignored)) found.push_back(entry->path());
  }
  std::ranges::sort(found);
  return found;
}

std::uint64_t freed_by_removal(const fs::path& directory) {
  std::uint64_t bytes = 0;
  std::error_code failure;
  for (fs::directory_iterator entry(directory, failure), end; !failure && entry != end; entry.increment(failure)) {
    struct stat facts{};
    if (::lstat(entry->path().c_str(), &facts) == 0 && facts.st_nlink == 1)
      bytes += static_cast<std::uint64_t>(facts.st_blocks) * block_bytes;
  }
  return bytes;
}

/// The lock that a builder of this name holds; without one nobody has built here, or nobody builds now. Empty: somebody does.
UniqueFd hold_builders_off(const fs::path& images, const std::string& name) {
  UniqueFd lock(::open((images / ("." + name + ".lock")).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) lock.reset();
  return lock;
}

bool is_unused(const fs::path& version, const std::string& current, const std::set<std::string>& used) {
  const auto digest = version.filename().string();
  return digest.size() == whole_digest && is_lower_hex(digest) && digest != current && !used.contains(digest);
}

Result<void> collect_name(const fs::path& directory, const std::set<std::string>& used, Collect how, Collection& out) {
  std::error_code failure;
  const auto current = fs::read_symlink(directory / "current", failure).filename().string();
  for (const auto& version : folders_in(directory)) {
    if (!is_unused(version, current, used)) continue;
    const auto digest = version.filename().string();
    out.unused.push_back({directory.filename().string(), digest, freed_by_removal(version)});
    if (how == Collect::only_look) continue;
    fs::rename(version, directory / (std::string(aside_prefix) + digest), failure);
    if (failure) return Error(Errc::io, "set aside " + version.string() + ": " + failure.message());
  }
  return {};
}

}  // namespace

Result<Collection> collect_unused(const fs::path& images, const std::set<std::string>& used, Collect how) {
  Collection collection;
  for (const auto& directory : folders_in(images)) {
    const auto name = directory.filename().string();
    if (!parse_instance_name(name)) continue;
    const UniqueFd lock = hold_builders_off(images, name);
    if (!lock) {
      collection.busy.push_back(name);
      continue;
    }
    TRY_VOID(collect_name(directory, used, how, collection));
  }
  return collection;
}

Result<void> delete_set_aside(const fs::path& images) {
  for (const auto& directory : folders_in(images))
    for (const auto& aside : folders_in(directory)) {
      if (!aside.filename().string().starts_with(aside_prefix)) continue;
      std::error_code failure;
      fs::remove_all(aside, failure);
      if (failure) return Error(Errc::io, "delete " + aside.string() + ": " + failure.message());
    }
  return {};
}

}  // namespace vigil::images
