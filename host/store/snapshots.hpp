// Where a replay of an instance's events may begin: how its state stood after one of them. A cache beside the log, of which nothing else follows.
#pragma once

#include "host/store/database.hpp"
#include "host/store/store.hpp"
#include "shared/base/result.hpp"

namespace vigil::store {

/// Within a batch's transaction.
Result<void> write_snapshot(Database& database, std::uint64_t instance, const Snapshot& snapshot);

/// The log is folded anew, so what was made from it before goes.
Result<void> forget_snapshots(Database& database);

}  // namespace vigil::store
