// What a guest's reports change in the state. Private to this folder.
#pragma once

#include "host/machine/stages.hpp"

namespace vigil::machine {

void apply_report(const Change& change, const Reported& reported);

/// Sets the time of the first ready when the evidence for it is complete. To be called after anything that may complete it.
void note_ready(const Change& change);

}  // namespace vigil::machine
