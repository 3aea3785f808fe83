// When a quiet link is asked whether it still lives, and when it is given up. A vsock device may lose the host's hang-up (vhost-device-vsock 0.3.0 did, once in
// 33 reconnections): then nothing ever says that the link is dead, and what the guest writes into it is lost. Only an answer that does not come tells.
//
// Shape:  look() once a period. The host pings every 5 s, so a link that says nothing for two periods is asked, then given up; while the host owes an answer
//         (a welcome, an acknowledgement) the periods are short. Periods are counted, not timed: a VM that was paused has not been silent.
// Pure.
#pragma once

#include <chrono>

namespace vigil::guest::link {

struct SilencePeriods {
  std::chrono::milliseconds idle{5'000}, awaiting{1'000};
};

class Silence {
public:
  enum class Verdict { well, ask, lost };

  void heard() { periods_ = 0; }
  Verdict look() {
    constexpr int ask_after = 1, lost_after = 4;
    ++periods_;
    if (periods_ >= lost_after) return Verdict::lost;
    return periods_ > ask_after ? Verdict::ask : Verdict::well;
  }

private:
  int periods_ = 0;   // since something was heard
};

}  // namespace vigil::guest::link
