#include "guest/readiness/unix_probe.hpp"

#include "guest/process/small_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace vigil::guest::readiness {
namespace {

constexpr std::size_t max_table_bytes = 1024 * 1024;
constexpr std::uint32_t accepts_connections = 0x10000;
constexpr std::uint32_t datagram_socket = 2;

struct Row { std::uint32_t flags = 0, type = 0; std::string_view path; };

/// "Num RefCount Protocol Flags Type St Inode Path"; the path may be absent and may hold blanks.
Row parse_row(std::string_view line) {
  Row row;
  for (int field = 0; field < 7; ++field) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::string_view word = line.substr(0, line.find(' '));
    line.remove_prefix(word.size());
    if (field == 3) std::from_chars(word.data(), word.data() + word.size(), row.flags, 16);
    if (field == 4) std::from_chars(word.data(), word.data() + word.size(), row.type, 16);
  }
  if (line.starts_with(' ')) row.path = line.substr(1);
  return row;
}

}  // namespace

UnixSocketState find_unix_socket(std::string_view table, std::string_view path) {
  UnixSocketState state = UnixSocketState::absent;
  while (!table.empty()) {
    const std::size_t end = std::min(table.find('\n'), table.size());
    const Row row = parse_row(table.substr(0, end));
    table.remove_prefix(std::min(end + 1, table.size()));
    // Relative when the service bound it so: then its end is all that can be compared.
    const bool relative = !row.path.empty() && row.path[0] != '/' && row.path[0] != '@' && path.ends_with(row.path);
    if (row.path != path && !relative) continue;
    if ((row.flags & accepts_connections) != 0 || row.type == datagram_socket) return UnixSocketState::accepting;
    state = UnixSocketState::bound;
  }
  return state;
}

UnixProbe::UnixProbe(const service_spec::UnixProbe& spec, ProbeTools& tools, ProbeEvents events)
    : path_(spec.path), loop_(tools.loop), events_(std::move(events)), watch_(tools.loop, spec.path, [this] {
        patience_.renew();
        look();
      }) {}

void UnixProbe::begin(const process::ProcessGroup&) {
  watch_.begin();
  look();
}

void UnixProbe::look() {
  retry_.cancel();
  if (access(path_.c_str(), F_OK) != 0) {
    seen_ = "the socket does not exist";
    return;   // inotify wakes us
  }
  if (find_unix_socket(process::read_small_file("/proc/net/unix", max_table_bytes).value_or(""), path_) == UnixSocketState::accepting) {
    watch_.end();
    events_.passed();
    return;
  }
  seen_ = "the socket exists, but nobody accepts connections on it";
  retry_ = loop_.after(patience_.take(), [this] { look(); });
}

}  // namespace vigil::guest::readiness
