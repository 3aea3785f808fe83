// What a person who reads the console sees once the VM is ready, or when it is clear that it will not be.
//
// Shape:  pure; one head line, one line a service (state, probes with the time at which they passed, cause), and the boot's own cause when there is one.
// Units:  times are seconds of the guest's clock.
#pragma once

#include "shared/protocol/report.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::console {

struct BootSummary {
  bool ready = false;
  MonoUs now_us = 0;
  std::string link;                                // "up", "down (...)"
  std::vector<protocol::ServiceReport> services;
  std::optional<protocol::Cause> cause;            // of a stage that failed
};

std::string boot_report(const BootSummary& summary);

}  // namespace vigil::guest::console
