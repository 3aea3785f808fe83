#include "host/reconcile/look.hpp"

#include "host/cgroup/cgroup.hpp"
#include "host/shim/shim_note.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace vigil::reconcile {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_small_file = 64 << 10;
constexpr std::string_view group_prefix = "vigil-";

std::string read_up_to(const fs::path& path, std::size_t limit) {
  std::ifstream file(path, std::ios::binary);
  std::string text(limit, '\0');
  file.read(text.data(), static_cast<std::streamsize>(limit));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

std::optional<std::int64_t> pid_of(const std::string& name) {
  std::int64_t pid = 0;
  const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (failure != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return pid;
}

/// Names that the kernel keeps of a program: its first 15 characters.
std::optional<Program> program_of(std::string_view comm) {
  if (comm == "vigil-shim") return Program::shim;
  if (comm.starts_with("vhost-device-vs")) return Program::device;
  if (comm.starts_with("qemu-system") || comm == "firecracker" || comm == "jailer") return Program::vmm;
  return std::nullopt;
}

/// The instance whose directory below `parent` the path is in.
std::optional<InstanceId> instance_below(std::string_view path, const std::string& parent) {
  if (!path.starts_with(parent) || path.size() <= parent.size() || path[parent.size()] != '/') return std::nullopt;
  auto rest = path.substr(parent.size() + 1);
  const auto id = parse_instance_id(rest.substr(0, rest.find('/')));
  return id ? std::optional(*id) : std::nullopt;
}

std::optional<InstanceId> instance_of_open_files(const fs::path& process, const std::string& instances) {
  std::error_code failure;
  for (fs::directory_iterator each(process / "fd", failure), end; !failure && each != end; each.increment(failure)) {
    std::error_code gone;
    const auto target = fs::read_symlink(each->path(), gone).string();
    if (auto id = instance_below(target, instances)) return id;
  }
  return std::nullopt;
}

std::optional<InstanceId> instance_of_arguments(const fs::path& process, const std::string& run) {
  const auto words = read_up_to(process / "cmdline", max_small_file);
  for (std::size_t begin = 0; begin < words.size();) {
    const auto end = std::min(words.find('\0', begin), words.size());
    const std::string_view word(words.data() + begin, end - begin);
    if (const auto at = word.find(run); at != std::string_view::npos)
      if (auto id = instance_below(word.substr(at), run)) return id;
    begin = end + 1;
  }
  return std::nullopt;
}

/// Parent and start time: fields 4 and 22 of stat, behind the name's last ')'.
bool read_stat_into(const fs::path& process, ProcessSeen& seen) {
  const auto text = read_up_to(process / "stat", 4096);
  auto at = text.rfind(')');
  if (at == std::string::npos || at + 2 >= text.size() || text[at + 2] == 'Z' || text[at + 2] == 'X') return false;
  at += 2;
  for (int field = 3; field < 22; ++field) {
    at = text.find(' ', at);
    if (at == std::string::npos) return false;
    ++at;
    if (field == 3) std::from_chars(text.data() + at, text.data() + text.size(), seen.parent);
  }
  return std::from_chars(text.data() + at, text.data() + text.size(), seen.process.start_ticks).ec == std::errc();
}

std::optional<ProcessSeen> look_at_process(const fs::path& process, std::int64_t pid, const std::string& instances,
                                           const std::string& run) {
  auto comm = read_up_to(process / "comm", 64);
  if (!comm.empty() && comm.back() == '\n') comm.pop_back();
  const auto program = program_of(comm);
  if (!program) return std::nullopt;
  ProcessSeen seen;
  seen.process.pid = pid;
  seen.program = *program;
  if (!read_stat_into(process, seen)) return std::nullopt;
  auto id = instance_of_open_files(process, instances);
  if (!id) {
    seen.claim = Claim::run;
    id = instance_of_arguments(process, run);
  }
  if (!id) return std::nullopt;
  seen.instance = *id;
  return seen;
}

template <class Take>
void each_entry(const fs::path& directory, const Take& take) {
  std::error_code failure;
  for (fs::directory_iterator each(directory, failure), end; !failure && each != end; each.increment(failure)) take(*each);
}

template <class Take>
void each_instance_directory(const fs::path& directory, const Take& take) {
  each_entry(directory, [&](const fs::directory_entry& entry) {
    std::error_code failure;
    const bool is_directory = entry.symlink_status(failure).type() == fs::file_type::directory;
    const auto id = parse_instance_id(entry.path().filename().string());
    if (is_directory && id) take(*id, entry.path());
  });
}

RunDirSeen look_at_run_dir(const InstanceId& id, const fs::path& path) {
  RunDirSeen seen{id, read_up_to(path / owner_mark, 4096), {}, false};
  while (!seen.owner.empty() && seen.owner.back() == '\n') seen.owner.pop_back();
  const auto note = shim::read_shim_note(path);
  if (!note) return seen;
  seen.shim = note->shim;
  seen.shim_lives = shim::is_alive(note->shim, note->boot_id);
  return seen;
}

/// "vigil-ID-RUN"
std::optional<InstanceId> instance_of_group(const std::string& name) {
  const auto dash = name.rfind('-');
  if (!name.starts_with(group_prefix) || dash == std::string::npos || dash <= group_prefix.size()) return std::nullopt;
  const auto id = parse_instance_id(std::string_view(name).substr(group_prefix.size(), dash - group_prefix.size()));
  return id ? std::optional(*id) : std::nullopt;
}

}  // namespace

std::string spelled(const fs::path& directory) {
  std::error_code failure;
  const auto real = fs::canonical(directory, failure);
  return failure ? directory.lexically_normal().string() : real.string();
}

Seen look(const Grounds& grounds) {
  Seen seen;
  seen.state_dir = spelled(grounds.state);
  const auto instances = spelled(grounds.state / "instances"), run = spelled(grounds.run);
    // Files before processes: a process that is not seen yet has its files already, one that has gone is no harm.
  each_instance_directory(grounds.run,
                          [&](const InstanceId& id, const fs::path& path) { seen.run_dirs.push_back(look_at_run_dir(id, path)); });
  each_instance_directory(grounds.state / "instances", [&](const InstanceId& id, const fs::path& path) {
    std::error_code ignored;
    seen.instance_dirs.push_back({id, fs::exists(path / "disk.raw.new", ignored), fs::exists(path / creation_mark, ignored)});
  });
  each_entry(grounds.set_aside, [&](const fs::directory_entry& entry) {
    struct stat status{};
    if (::lstat(entry.path().c_str(), &status) != 0) return;
    seen.set_aside.push_back({entry.path().filename().string(), static_cast<UnixUs>(status.st_ctim.tv_sec) * 1'000'000});
  });
  for (const auto& name : cgroup::groups_below(std::string(group_prefix)))
    if (const auto id = instance_of_group(name); id && std::ranges::find(seen.groups, *id) == seen.groups.end()) seen.groups.push_back(*id);
  each_entry(grounds.proc, [&](const fs::directory_entry& entry) {
    const auto pid = pid_of(entry.path().filename().string());
    if (!pid) return;
    if (auto process = look_at_process(entry.path(), *pid, instances, run)) seen.processes.push_back(std::move(*process));
  });
  return seen;
}

}  // namespace vigil::reconcile
