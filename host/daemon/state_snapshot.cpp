#include "host/daemon/state_snapshot.hpp"

#include "host/machine/state_codec.hpp"

#include <spdlog/spdlog.h>

namespace vigil::daemon {

void StateSnapshot::keep(store::Store& store, const machine::VmState& state) {
  since_ = 0;
  const store::Snapshot snapshot{state.last_seq, machine::encode_state(state)};
  if (snapshot.body.size() > max_bytes) return;
  if (const auto kept = store.keep_snapshot(state.id, snapshot); !kept)
    spdlog::warn("vm.snapshot_not_kept vm={} err=\"{}\"", state.id.value(), kept.error().message());
}

}  // namespace vigil::daemon
