// The projected tables against the log that they follow from: compared, or made anew. For a store that no daemon has open.
//
// Errors: Errc::not_found: no such file; Errc::unsupported: of another schema, or it holds events that this version does not know; Errc::io: damaged. Nothing is
//         changed then, and a comparison never changes anything.
#pragma once

#include "shared/base/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace vigil::store {

struct RowDifference {
  enum class Kind { missing, surplus };         // the log leads to it and the table has it not; or the other way round
  Kind kind = Kind::missing;
  std::string table, row;                       // its values, as SQL writes them
};

struct ProjectionReport {
  std::uint64_t events = 0, instances = 0, checkpoints = 0;
  std::vector<RowDifference> differences;       // at most 1000; the rest is in `more`
  std::uint64_t more = 0;
};

enum class Repair { none, replace_tables };

/// Folds the log at `path` into tables of its own and compares them with those that are stored; with replace_tables these are then replaced, in one transaction.
Result<ProjectionReport> compare_projections(const std::string& path, Repair repair);

}  // namespace vigil::store
