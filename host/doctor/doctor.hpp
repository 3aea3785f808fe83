// What a machine needs to run VMs, checked one by one, each with its mend.
//
// Shape:  every check gives a row, also when all is well. fail: VMs cannot run. warn: they run, but slowly or not for long.
#pragma once

#include "shared/base/enum_names.hpp"

#include <string>
#include <vector>

namespace vigil::doctor {

enum class CheckStatus { ok, warn, fail };

struct Check {
  std::string name;                             // "kvm", "qemu", "vsock-device", "firecracker", "open-files", "state-disk", "state-dir", "run-dir", "image-tools"
  CheckStatus status = CheckStatus::ok;
  std::string found;                            // what is there
  std::string mend;                             // what to do; empty when ok
  friend bool operator==(const Check&, const Check&) = default;
};

struct Places {
  std::string state_dir, run_dir;               // of the daemon
  std::string program_dir;                      // where vigil and vigild are: the vsock device is looked for beside them
};

/// Blocks for some 100 ms (it asks QEMU for its version).
std::vector<Check> examine(const Places& places);

CheckStatus worst(const std::vector<Check>& checks);

}  // namespace vigil::doctor

namespace vigil {
template <> inline constexpr auto enum_table<doctor::CheckStatus> = make_enum_table<doctor::CheckStatus>({
    {doctor::CheckStatus::ok, "ok"}, {doctor::CheckStatus::warn, "warn"}, {doctor::CheckStatus::fail, "fail"}});
}  // namespace vigil
