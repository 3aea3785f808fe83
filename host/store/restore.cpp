#include "host/store/restore.hpp"

#include "host/machine/reduce.hpp"
#include "host/machine/state_codec.hpp"

namespace vigil::store {

namespace {

Result<machine::VmState> read_snapshot(const Snapshot& snapshot, const InstanceId& id) {
  TRY(state, machine::decode_state(snapshot.body));
  if (state.id != id || state.last_seq != snapshot.seq) return Error(Errc::invalid, "it is of another state than it says");
  return state;
}

}  // namespace

Result<Restored> restore_state(const Store& store, const InstanceId& id) {
  Restored restored;
  TRY(snapshot, store.snapshot(id));
  if (snapshot) {
    auto state = read_snapshot(*snapshot, id);
    if (state)
      restored.state = std::move(*state);
    else
      restored.unused = state.error().message();
  }
  TRY(history, store.history(id, restored.state.last_seq));
  for (const auto& event : history.events) machine::reduce(restored.state, event);
  restored.replayed = history.events.size();
  restored.skipped = history.skipped;
  return restored;
}

}  // namespace vigil::store
