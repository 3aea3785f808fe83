#include "host/shim/shim_note.hpp"

#include "shared/base/unique_fd.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>

namespace vigil::shim {

Result<void> write_shim_note(const std::filesystem::path& run_dir, const ShimNote& note) {
  const nlohmann::json document = {{"run", note.run.value()}, {"pid", note.shim.pid}, {"start_ticks", note.shim.start_ticks}, {"boot_id", note.boot_id}};
  const auto text = dump_json(document);
  const auto path = run_dir / "shim.json", unfinished = run_dir / "shim.json.new";
  const UniqueFd file(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return Error::from_errno("open " + unfinished.string(), errno);
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return Error::from_errno("write " + unfinished.string(), errno);
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return Error::from_errno("rename to " + path.string(), errno);
  return {};
}

Result<ShimNote> read_shim_note(const std::filesystem::path& run_dir) {
  std::ifstream file(run_dir / "shim.json");
  if (!file) return Error(Errc::not_found, "no " + (run_dir / "shim.json").string());
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  TRY(document, parse_json(text));
  TRY(run, read_integer(document, "run", 1, std::numeric_limits<std::uint32_t>::max()));
  TRY(pid, read_integer(document, "pid", 1));
  TRY(ticks, read_integer(document, "start_ticks"));
  TRY(boot_id, read_string(document, "boot_id"));
  return ShimNote{RunNumber(static_cast<std::uint32_t>(run)), {pid, static_cast<std::uint64_t>(ticks)}, boot_id};
}

}  // namespace vigil::shim
