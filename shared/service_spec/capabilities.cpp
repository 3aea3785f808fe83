#include "shared/service_spec/capabilities.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace vigil::service_spec {
namespace {

// In the order of their numbers.
constexpr std::array<std::string_view, 41> capability_names = {
    "CAP_CHOWN",           "CAP_DAC_OVERRIDE",  "CAP_DAC_READ_SEARCH", "CAP_FOWNER",           "CAP_FSETID",         "CAP_KILL",
    "CAP_SETGID",          "CAP_SETUID",        "CAP_SETPCAP",         "CAP_LINUX_IMMUTABLE",  "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",       "CAP_NET_RAW",       "CAP_IPC_LOCK",        "CAP_IPC_OWNER",        "CAP_SYS_MODULE",     "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",      "CAP_SYS_PTRACE",    "CAP_SYS_PACCT",       "CAP_SYS_ADMIN",        "CAP_SYS_BOOT",       "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",    "CAP_SYS_TIME",      "CAP_SYS_TTY_CONFIG",  "CAP_MKNOD",            "CAP_LEASE",          "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",   "CAP_SETFCAP",       "CAP_MAC_OVERRIDE",    "CAP_MAC_ADMIN",        "CAP_SYSLOG",         "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",   "CAP_AUDIT_READ",    "CAP_PERFMON",         "CAP_BPF",              "CAP_CHECKPOINT_RESTORE"};

}  // namespace

std::optional<unsigned> capability_number(std::string_view name) {
  const auto* const found = std::find(capability_names.begin(), capability_names.end(), name);
  if (found == capability_names.end()) return std::nullopt;
  return static_cast<unsigned>(std::distance(capability_names.begin(), found));
}

}  // namespace vigil::service_spec
