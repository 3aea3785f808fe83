#include "host/daemon/evidence.hpp"

#include "host/blackbox/archive.hpp"
#include "host/blackbox/box_name.hpp"
#include "host/daemon/box_packing.hpp"
#include "host/fault/fault_point.hpp"
#include "host/reconcile/look.hpp"
#include "host/shim/bounded_file.hpp"
#include "host/shim/shim_spec.hpp"
#include "shared/base/unique_fd.hpp"
#include "shared/console/record.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

namespace vigil::daemon {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t tail_lines = 50;
constexpr std::size_t tail_bytes = 64 << 10;

Error failed(const std::string& what, const std::error_code& failure) {
  if (failure == std::errc::no_space_on_device) return Error(Errc::limit, "host.disk_full: " + what);
  return Error(Errc::io, what + ": " + failure.message());
}

Result<void> write_file(const fs::path& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return failed("create " + path.string(), std::error_code(errno, std::generic_category()));
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return failed("write " + path.string(), std::error_code(errno, std::generic_category()));
  return {};
}

Result<void> move_into(const fs::path& from, const fs::path& directory) {
  std::error_code failure;
  if (!fs::exists(from, failure)) return {};
  fs::rename(from, directory / from.filename(), failure);
  if (failure) return failed("move " + from.string() + " to " + directory.string(), failure);
  return {};
}

}  // namespace

Result<void> make_instance_dir(const Places& places, const InstanceId& id, const machine::InstanceSpec& spec) {
  const fault::Around around(fault::Step::make_instance);
  std::error_code failure;
  const auto directory = places.instance(id);
  fs::create_directories(directory, failure);
  if (failure) return failed("create " + directory.string(), failure);
  ::chmod(directory.c_str(), 0700);
  auto written = write_file(directory / reconcile::creation_mark, "");
  if (written) written = write_file(directory / "spec.json", machine::encode_spec(spec) + "\n");
  if (!written) fs::remove_all(directory, failure);   // made a moment ago, by us, for nothing
  return written;
}

void end_creation(const Places& places, const InstanceId& id) {
  std::error_code ignored;
  fs::remove(places.instance(id) / reconcile::creation_mark, ignored);
}

Result<std::string> set_aside(const Places& places, const InstanceId& id, UnixUs now) {
  std::error_code failure;
  fs::create_directories(places.strays(), failure);
  if (failure) return failed("create " + places.strays().string(), failure);
  ::chmod(places.strays().c_str(), 0700);
  const auto target = places.strays() / (id.value() + "." + std::to_string(now / 1'000'000));
  fs::rename(places.instance(id), target, failure);
  if (failure) return failed("move " + places.instance(id).string() + " to " + target.string(), failure);
  return target.string();
}

Result<void> archive_and_delete(const Places& places, const InstanceId& id) {
  const fault::Around around(fault::Step::remove_instance);
  std::error_code failure;
  const auto directory = places.instance(id);
  drop_old_runs(places, id, 0);
  if (fs::exists(directory / "runs", failure) && !fs::is_empty(directory / "runs", failure)) {
    const auto kept = places.blackbox(id);
    fs::create_directories(kept, failure);
    if (failure) return failed("create " + kept.string(), failure);
    TRY_VOID(move_into(directory / "spec.json", kept));
    TRY_VOID(move_into(directory / "runs", kept));
  }
  fs::remove_all(places.run_dir(id), failure);
  fs::remove_all(directory, failure);
  if (failure) return failed("delete " + directory.string(), failure);
  return {};
}

fs::path find_log_dir(const Places& places, const InstanceId& id, RunNumber run) {
  std::error_code ignored;
  auto path = places.log_dir(id, run);
  if (fs::exists(path, ignored)) return path;
  return places.blackbox(id) / "runs" / std::to_string(run.value());
}

bool has_log_dir(const Places& places, const InstanceId& id, RunNumber run) {
  std::error_code ignored;
  return fs::exists(find_log_dir(places, id, run), ignored);
}

Result<std::string> console_of(const Places& places, const InstanceId& id, RunNumber run) {
  if (has_log_dir(places, id, run)) return read_console(find_log_dir(places, id, run));
  const blackbox::BoxName name{id, run};
  const auto box = places.blackboxes() / name.file();
  std::error_code ignored;
  if (!fs::exists(box, ignored)) return std::string();
  auto console = blackbox::read_entry(box, "console.log", shim::console_caps.head_bytes + shim::console_caps.tail_bytes + tail_bytes);
  if (!console && console.error().code() == Errc::not_found) return std::string();
  return console;
}

std::vector<std::string> console_tail_of(const Places& places, const InstanceId& id, RunNumber run) {
  if (has_log_dir(places, id, run)) return read_console_tail(find_log_dir(places, id, run));
  const blackbox::BoxName name{id, run};
  const auto text = blackbox::read_entry(places.blackboxes() / name.file(), "console_tail.txt", tail_bytes);
  std::vector<std::string> lines;
  for (std::size_t at = 0; text && at < text->size();) {
    const auto end = std::min(text->find('\n', at), text->size());
    lines.push_back(text->substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

Result<std::string> read_console(const fs::path& log_dir) {
  TRY(kept, shim::read_kept(shim::console_log_path(log_dir.string()), shim::console_caps));
  return shim::as_text(kept);
}

std::vector<std::string> read_console_tail(const fs::path& log_dir) {
  std::ifstream file(shim::console_log_path(log_dir.string()), std::ios::binary | std::ios::ate);
  if (!file) return {};
  const auto size = static_cast<std::size_t>(file.tellg());
  std::string text(std::min(size, tail_bytes), '\0');
  file.seekg(static_cast<std::streamoff>(size - text.size()));
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  console::ConsoleScanner scanner;
  auto lines = scanner.feed(text).lines;
  for (auto& line : scanner.finish().lines) lines.push_back(std::move(line));
  if (lines.size() > tail_lines) lines.erase(lines.begin(), lines.end() - tail_lines);
  return lines;
}

}  // namespace vigil::daemon
