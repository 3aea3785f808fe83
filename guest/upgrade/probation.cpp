#include "guest/upgrade/probation.hpp"

#include "guest/log/log.hpp"
#include "guest/upgrade/codec.hpp"
#include "guest/upgrade/memory_file.hpp"

#include <algorithm>
#include <utility>

namespace vigil::guest::upgrade {

Probation::Probation(UniqueFd state, UniqueFd program) : first_(std::move(state)), program_(std::move(program)) {
  // For this process alone: programs that it starts get neither.
  (void)set_over_exec(first_.get(), OverExec::closed);
  (void)set_over_exec(program_.get(), OverExec::closed);
  for (auto& way : ways_) way = std::make_unique<init::WayBack>();
  arm(first_.get(), {});
}

void Probation::know(const std::vector<int>& descriptors) { arm(first_.get(), descriptors); }

void Probation::look(const Result<KeptAgent>& kept) {
  if (!program_ || !kept) return;
  const Encoded encoded = encode(*kept);
  UniqueFd& state = states_[turn_];
  if (const auto put = put_state(state, encoded.bytes); !put)
    return log::warning("agent.way_back_is_old", {{"err", put.error().message()}});
  arm(state.get(), encoded.descriptors);
}

void Probation::arm(int state, const std::vector<int>& descriptors) {
  init::WayBack& way = *ways_[turn_];
  turn_ = 1 - turn_;
  way.program = program_.get();
  way.state = state;
  way.count = std::min(descriptors.size(), init::WayBack::max_descriptors);
  std::copy_n(descriptors.begin(), way.count, way.descriptors);
  init::arm_way_back(&way);
}

void Probation::end() {
  init::arm_way_back(nullptr);
  first_.reset();
  program_.reset();
  for (auto& state : states_) state.reset();
}

}  // namespace vigil::guest::upgrade
