// What a waiting service still waits for, and whom a stop has to take first.
//
// Shape:  pure. The caller tells how each service stands; names that no service has stand as `unknown`.
// Source: shared/service_spec (after, requires, wants).
#pragma once

#include "shared/service_spec/service_spec.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::supervisor {

enum class Standing {
  pending,      // waiting, starting, backing off
  ready,
  unready,      // was ready, its health probe fails
  finished,     // ended with success and need not run
  stopped,      // by request, or on its way there
  failed,       // for good
  unknown,      // there is no such service, or its file is wrong
};

using StandingOf = std::function<Standing(const ServiceName&)>;

struct StartVerdict {
  std::vector<std::string> waits_for;              // empty and nothing failed: it may start
  std::optional<ServiceName> failed_dependency;
  friend bool operator==(const StartVerdict&, const StartVerdict&) = default;
};

StartVerdict judge_start(const service_spec::ServiceSpec& spec, const StandingOf& standing_of);

/// Whether `spec` names `dependency` in any way, so that it must stop before it.
bool depends_on(const service_spec::ServiceSpec& spec, const ServiceName& dependency);

}  // namespace vigil::guest::supervisor
