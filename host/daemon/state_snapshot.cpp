#include "host/daemon/state_snapshot.hpp"

#include "host/machine/state_codec.hpp"

#include <spdlog/spdlog.h>

namespace vigil::daemon {

namespace {

void log_failure(const Result<void>& kept, const machine::VmState& state) {
  if (!kept) spdlog::warn("vm.snapshot_not_kept vm={} err=\"{}\"", state.id.value(), kept.error().message());
}

}  // namespace

std::optional<store::Snapshot> StateSnapshot::take(const machine::VmState& state) {
  since_ = 0;
  store::Snapshot snapshot{state.last_seq, machine::encode_state(state)};
  return snapshot.body.size() > max_bytes ? std::nullopt : std::optional(std::move(snapshot));
}

void StateSnapshot::keep_with_next(store::Store& store, const machine::VmState& state) {
  if (since_ < every || !store.has_room_for_snapshot()) return;
  if (auto snapshot = take(state)) log_failure(store.add_snapshot(state.id, *std::move(snapshot)), state);
}

void StateSnapshot::keep_now(store::Store& store, const machine::VmState& state) {
  if (const auto snapshot = take(state)) log_failure(store.keep_snapshot(state.id, *snapshot), state);
}

}  // namespace vigil::daemon
