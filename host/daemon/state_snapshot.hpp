// When a VM's state is written down beside the log, so that the next daemon replays what came since and not years.
#pragma once

#include "host/machine/vm_state.hpp"
#include "host/store/store.hpp"

#include <cstddef>

namespace vigil::daemon {

class StateSnapshot {
public:
  /// `since`: so many events are folded into the state that no snapshot has.
  explicit StateSnapshot(std::size_t since) : since_(since) {}

  void folded(std::size_t events) { since_ += events; }
  bool is_due() const { return since_ >= every; }
  /// At a daemon's end a shorter way is worth it, too.
  bool is_worth_it() const { return since_ >= at_end; }
  /// What goes wrong is logged: without a snapshot the log is replayed.
  void keep(store::Store& store, const machine::VmState& state);

private:
  static constexpr std::size_t every = 256, at_end = 32;
  static constexpr std::size_t max_bytes = 8 << 20;   // a run with many crashes and all their output; the next one has less

  std::size_t since_;
};

}  // namespace vigil::daemon
