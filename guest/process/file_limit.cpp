#include "guest/process/file_limit.hpp"

#include <algorithm>

namespace vigil::guest::process {

namespace {
bool raised = false;
}

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlimit wanted{most_files, std::max(limit.rlim_max, most_files)};
  const rlimit possible{std::min(limit.rlim_max, most_files), limit.rlim_max};   // without the right to raise what it may raise
  raised = ::setrlimit(RLIMIT_NOFILE, &wanted) == 0 || ::setrlimit(RLIMIT_NOFILE, &possible) == 0;
}

bool has_raised_file_limit() { return raised; }

}  // namespace vigil::guest::process
