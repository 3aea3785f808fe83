// Whether, and when, a service that has died starts again.
//
// Shape:  pure over a bounded history of deaths. The first death after a healthy second restarts at once; others back off, doubling; too many within
//         the window is a crash loop, whose cause is the first of them.
// Units:  microseconds of the guest's clock. Source: DESIGN "Supervision".
#pragma once

#include "shared/base/clock.hpp"
#include "shared/protocol/cause.hpp"
#include "shared/service_spec/service_spec.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace vigil::guest::supervisor {

inline constexpr MonoUs healthy_us = 1'000'000;   // ready for so long, a service counts as having worked

struct Death {
  enum class Kind {
    finished,     // code 0 of a service that was ready or has no probes
    failure,      // any other end
    hopeless,     // its program cannot be executed, its file is wrong: another try cannot help
  };
  Kind kind = Kind::failure;
  MonoUs at_us = 0;
  MonoUs ready_for_us = 0;     // 0: it was not ready
  protocol::Cause cause;
};

struct RestartVerdict {
  enum class Kind { finished, give_up, restart_now, restart_later };
  Kind kind = Kind::give_up;
  std::chrono::milliseconds delay{0};     // restart_later
  protocol::Cause cause;                  // what the service's report says: the death's own cause or service.crash_loop
};

/// The history of a policy between two lives of the agent.
struct KeptPolicy {
  std::vector<std::pair<MonoUs, protocol::Cause>> deaths;
  std::uint32_t failures_in_a_row = 0;
  friend bool operator==(const KeptPolicy&, const KeptPolicy&) = default;
};

class RestartPolicy {
public:
  explicit RestartPolicy(const service_spec::RestartSpec& spec) : spec_(spec) {}

  RestartVerdict judge(const Death& death);
  /// Somebody started the service by hand: what was before is forgiven.
  void forget() { deaths_.clear(), failures_in_a_row_ = 0; }

  KeptPolicy keep() const;
  void resume(const KeptPolicy& kept);

private:
  struct Past {
    MonoUs at_us;
    protocol::Cause cause;
  };
  std::chrono::milliseconds next_delay() const;

  service_spec::RestartSpec spec_;
  std::deque<Past> deaths_;                 // within the window, at most loop_exits
  std::uint32_t failures_in_a_row_ = 0;     // since it last was healthy
};

}  // namespace vigil::guest::supervisor
