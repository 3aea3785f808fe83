// An instance's state from the log: from its snapshot on where there is one that can be used, else from its first event.
#pragma once

#include "host/machine/vm_state.hpp"
#include "host/store/store.hpp"

#include <cstddef>
#include <string>

namespace vigil::store {

struct Restored {
  machine::VmState state;
  std::size_t replayed = 0;           // events
  std::uint64_t skipped = 0;          // of a newer version, not folded in
  std::string unused;                 // why its snapshot was not used; empty: it was, or there is none
};

/// Errors: the store's.
Result<Restored> restore_state(const Store& store, const InstanceId& id);

}  // namespace vigil::store
