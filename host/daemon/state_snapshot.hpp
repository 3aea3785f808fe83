// When a VM's state is written down beside the log, so that the next daemon replays what came since and not years.
#pragma once

#include "host/machine/vm_state.hpp"
#include "host/store/store.hpp"

#include <cstddef>
#include <optional>

namespace vigil::daemon {

class StateSnapshot {
public:
  /// `since`: so many events are folded into the state that no snapshot has.
  explicit StateSnapshot(std::size_t since) : since_(since) {}

  void folded(std::size_t events) { since_ += events; }
  /// At a daemon's end a shorter way is worth it, too.
  bool is_worth_it() const { return since_ >= at_end; }
  /// With what is committed next, when it is due and the store has room for it. Here and below what goes wrong is logged: without a snapshot the log is replayed.
  void keep_with_next(store::Store& store, const machine::VmState& state);
  void keep_now(store::Store& store, const machine::VmState& state);

private:
  static constexpr std::size_t every = 256, at_end = 32;
  static constexpr std::size_t max_bytes = 8 << 20;   // a run with many crashes and all their output; the next one has less

  /// Nothing when it is too large.
  std::optional<store::Snapshot> take(const machine::VmState& state);

  std::size_t since_;
};

}  // namespace vigil::daemon
