// One readiness probe of one start of one service.
//
// Shape:  prepare() before the launch gives the child what the probe needs (a descriptor, a variable); begin() after it starts the waiting. A probe is
//         used for one start and dropped, which ends whatever it waits for.
//         A probe that has not passed is a state, not an error: finding() says what stands in its way once it knows better than "not yet".
// Thread: the loop's. The events may be called from within begin().
#pragma once

#include "guest/process/launch_plan.hpp"
#include "guest/process/process_group.hpp"
#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"
#include "shared/protocol/cause.hpp"

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

namespace vigil::guest::readiness {

struct ProbeEvents {
  std::function<void()> passed;           // once
  std::function<void()> finding_changed;  // finding() is another than before
};

class Probe {
public:
  Probe() = default;
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  virtual ~Probe() = default;

  /// Errors: Errc::io when the system gives no descriptor or socket; the service is then not started.
  virtual Result<void> prepare(process::LaunchPlan& plan);
  /// The child has its descriptors; `group` tells the service's processes.
  virtual void begin(const process::ProcessGroup& group) = 0;
  /// Between two lives of the agent: a descriptor that the child has the other end of, and whom it was made for. Without one a probe just begins anew.
  struct Kept {
    int fd = -1;
    uid_t uid = 0;
    friend bool operator==(const Kept&, const Kept&) = default;
  };
  virtual Kept keep() const { return {}; }
  /// In place of prepare(). The descriptor is the probe's from now on.
  virtual void resume(UniqueFd fd, uid_t uid);
  /// A named obstacle: service.wrong_address, port_taken, not_answering, wrong_protocol.
  virtual std::optional<protocol::Cause> finding() const { return std::nullopt; }
  /// The last thing that it saw, as evidence for a time-out: "status 503", "exit code 1"; may be empty.
  virtual std::string seen() const { return {}; }
};

inline void Probe::resume(UniqueFd, uid_t) {}
inline Result<void> Probe::prepare(process::LaunchPlan&) { return {}; }

}  // namespace vigil::guest::readiness
