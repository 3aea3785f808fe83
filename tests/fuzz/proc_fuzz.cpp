// The kernel's tables. Programs choose what stands in some of them (names, paths), so none is trusted. The first byte chooses the parser.
#include "guest/health/health_sample.hpp"
#include "guest/health/kernel_log.hpp"
#include "guest/health/mounts.hpp"
#include "guest/health/pressure.hpp"
#include "guest/process/listeners.hpp"
#include "guest/process/process_end.hpp"
#include "guest/process/process_group.hpp"
#include "guest/readiness/listener_watch.hpp"
#include "guest/readiness/unix_probe.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace {

using namespace vigil::guest;
using vigil::fuzz::require;

void parse_table(unsigned kind, const std::string& text) {
  switch (kind) {
    case 0:
      if (const auto stat = process::parse_stat(text)) require(stat->comm.size() < text.size(), "a name is part of its line");
      return;
    case 1:
    case 2:
      for (const auto& listener : process::parse_listeners(text, kind == 1 ? process::AddressFamily::ipv4 : process::AddressFamily::ipv6)) {
        require(!listener.address_text().empty(), "an address has a text");
        require(
            !process::serves_address(listener, listener.address_text()) || process::stands_in_the_way(listener, listener.address_text()),
            "what serves an address stands in the way of others");
      }
      return;
    case 3: readiness::find_unix_socket(text, "/run/x/socket"); return;
    case 4: require(process::parse_cgroup_v2(text).size() <= text.size(), "a path is part of its text"); return;
    case 5:
      for (const auto& mount : health::writable_mounts(text)) require(mount.size() <= 256, "a mount's path is short");
      require(health::writable_mounts(text).size() <= 16, "mounts are few");
      return;
    case 6: health::parse_meminfo(text); return;
    case 7: health::parse_loadavg(text); return;
    case 8:
      if (const auto stalls = health::parse_pressure(text))
        require(stalls->some_permille <= 1009 && stalls->full_permille <= 1009, "a share is a share");
      return;
    case 9:
      if (const auto record = health::parse_kernel_record(text))
        require(record->text.size() <= 256 && record->level < 8, "a record is bounded");
      return;
    case 10: process::parse_socket_link(text); return;
    case 11:
      for (const pid_t pid : process::parse_pids(text)) require(pid > 0, "a pid is positive");
      return;
    default:
      if (const auto event = readiness::parse_listen_event(text)) require(event->port != 0, "a port is not 0");
      return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  parse_table(data[0] % 13, std::string(reinterpret_cast<const char*>(data + 1), size - 1));
  return 0;
}
