// How long to wait before the next look where no event tells: doubling from `first` to `most`, and to five seconds once a minute has been spent so, for what
// has not come by then is not worth waking the machine for. Pure.
#pragma once

#include <algorithm>
#include <chrono>

namespace vigil::guest::readiness {

class Patience {
public:
  using Span = std::chrono::milliseconds;

  constexpr Patience(Span first, Span most) : first_(first), most_(most), next_(first) {}

  /// The next wait.
  constexpr Span take() {
    const Span now = next_;
    spent_ += now;
    next_ = std::min(next_ * 2, spent_ < minute ? most_ : idle);
    return now;
  }
  /// Something happened: looks are worth their while again.
  constexpr void renew() { *this = Patience(first_, most_); }

  static constexpr Span minute{60'000}, idle{5'000};

private:
  Span first_, most_, next_, spent_{0};
};

}  // namespace vigil::guest::readiness
