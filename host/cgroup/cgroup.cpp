#include "host/cgroup/cgroup.hpp"

#include "host/cgroup/membership.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace vigil::cgroup {

namespace {

std::string read_small(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::optional<std::uint64_t> number_in(const std::string& text, std::size_t at) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data() + at, text.data() + text.size(), value);
  if (parsed.ec != std::errc{}) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> read_number(const std::string& path) { return number_in(read_small(path), 0); }

/// The value of "KEY value" in a flat keyed file.
std::optional<std::uint64_t> read_keyed(const std::string& path, const std::string& key) {
  const std::string text = "\n" + read_small(path);
  const auto at = text.find("\n" + key + " ");
  if (at == std::string::npos) return std::nullopt;
  return number_in(text, at + key.size() + 2);
}

Result<void> write_pid(const std::string& directory, pid_t pid) {
  const std::string path = directory + "/cgroup.procs";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return Error::from_errno("open " + path, errno);
  const std::string text = std::to_string(pid);
  const ssize_t put = ::write(fd, text.data(), text.size());
  const int error = errno;
  ::close(fd);
  if (put < 0) return Error::from_errno("write " + path, error);
  return {};
}

Result<void> make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return Error::from_errno("mkdir " + path, errno);
  return {};
}

/// A directory a hierarchy; `home` is where its maker stood.
struct Place { std::string home, directory; };

class Directories : public Group {
public:
  Directories(std::map<std::string, Place> places) : places_(std::move(places)) {}

  Result<void> add(pid_t pid) override {
    for (const auto& [controller, place] : places_) TRY_VOID(write_pid(place.directory, pid));
    return {};
  }

  Result<void> remove() override {
    Result<void> outcome;
    for (const auto& [controller, place] : places_) {
      if (auto moved = write_pid(place.home, 0); !moved) outcome = moved;
      if (::rmdir(place.directory.c_str()) != 0 && errno != ENOENT) outcome = Error::from_errno("rmdir " + place.directory, errno);
    }
    return outcome;
  }

protected:
  std::optional<std::string> file(const std::string& controller, const std::string& name) const {
    const auto found = places_.find(controller);
    if (found == places_.end()) return std::nullopt;
    return found->second.directory + "/" + name;
  }

private:
  std::map<std::string, Place> places_;
};

class UnifiedGroup final : public Directories {
public:
  using Directories::Directories;
  Version version() const override { return Version::v2; }
  std::optional<std::uint64_t> cpu_us() const override { return read_keyed(*file("", "cpu.stat"), "usage_usec"); }
  std::optional<std::uint64_t> memory_bytes() const override { return read_number(*file("", "memory.current")); }
  std::optional<std::uint64_t> oom_kills() const override { return read_keyed(*file("", "memory.events"), "oom_kill"); }
};

class ControllerGroups final : public Directories {
public:
  using Directories::Directories;
  Version version() const override { return Version::v1; }
  std::optional<std::uint64_t> cpu_us() const override {
    const auto path = file("cpuacct", "cpuacct.usage");
    const auto nanoseconds = path ? read_number(*path) : std::nullopt;
    if (!nanoseconds) return std::nullopt;
    return *nanoseconds / 1000;
  }
  std::optional<std::uint64_t> memory_bytes() const override { return read_number(*file("memory", "memory.usage_in_bytes")); }
  std::optional<std::uint64_t> oom_kills() const override { return read_keyed(*file("memory", "memory.oom_control"), "oom_kill"); }
};

}  // namespace

Result<std::unique_ptr<Group>> make_group(const std::string& name, const std::string& mounts, const std::string& self) {
  TRY(membership, parse_membership(read_small(mounts), read_small(self)));
  std::map<std::string, Place> places;
  for (const auto& [controller, home] : membership.directories) {
    const Place place{home, place_of_groups(membership.version, home) + "/" + name};
    const bool needed = controller.empty() || controller == "memory";
    if (auto made = make_directory(place.directory); made) places.emplace(controller, place);
    else if (needed) return made.error();
  }
  if (membership.version == Version::v2) return std::unique_ptr<Group>(std::make_unique<UnifiedGroup>(std::move(places)));
  return std::unique_ptr<Group>(std::make_unique<ControllerGroups>(std::move(places)));
}

void sweep_groups(const std::string& prefix, const std::string& mounts, const std::string& self) {
  const auto membership = parse_membership(read_small(mounts), read_small(self));
  if (!membership || prefix.empty()) return;
  for (const auto& [controller, home] : membership->directories) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(place_of_groups(membership->version, home), ignored))
      if (entry.path().filename().string().starts_with(prefix)) ::rmdir(entry.path().c_str());   // refused while a process is in it
  }
}

std::vector<std::string> groups_below(const std::string& prefix, const std::string& mounts, const std::string& self) {
  const auto membership = parse_membership(read_small(mounts), read_small(self));
  std::set<std::string> names;
  if (!membership) return {};
  for (const auto& [controller, home] : membership->directories) {
    std::error_code failure;
    for (std::filesystem::directory_iterator each(place_of_groups(membership->version, home), failure), end; !failure && each != end; each.increment(failure))
      if (auto name = each->path().filename().string(); name.starts_with(prefix)) names.insert(std::move(name));
  }
  return {names.begin(), names.end()};
}

}  // namespace vigil::cgroup
