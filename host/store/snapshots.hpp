// Where a replay of an instance's events may begin: how its state stood after one of them. A cache beside the log, of which nothing else follows.
#pragma once

#include "host/store/database.hpp"
#include "shared/base/result.hpp"

namespace vigil::store {

/// The log is folded anew, so what was made from it before goes.
Result<void> forget_snapshots(Database& database);

}  // namespace vigil::store
