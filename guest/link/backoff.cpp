#include "guest/link/backoff.hpp"

#include <algorithm>

namespace vigil::guest::link {

using std::chrono::milliseconds;

std::chrono::milliseconds Backoff::next() {
  constexpr milliseconds eager_limit{200}, patient_limit{1'000}, eager_for{5'000};
  const milliseconds delay = delay_;
  waited_ += delay;
  delay_ = std::min(delay_ * 2, waited_ < eager_for ? eager_limit : patient_limit);
  return delay;
}

}  // namespace vigil::guest::link
