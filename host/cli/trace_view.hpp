// How a crash's trace and what is known of the victim look on a terminal.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace vigil::cli {

enum class Detail { brief, whole };   // brief: 16 frames of the crashing thread, five of each other one

/// Of one crash of /v1/instances/{id}/crashes; prints nothing where there is neither.
void print_trace(const nlohmann::json& crash, Detail detail);
void print_victim(const nlohmann::json& crash);

}  // namespace vigil::cli
