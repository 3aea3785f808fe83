// What a look at a guest that does not answer means. Pure.
//
// Shape:  two signals that do not depend on each other make a guest `stuck`: nothing comes from it (pings over an open link stay unanswered, or there is no link), and its
//         virtual processors stand still with interrupts off although the VMM says that they run, and had a processor. One alone is `silent`. A VMM that gets no
//         processor is `starved`: then nothing can be said of the guest. A VMM whose process is stopped says nothing of the guest either.
#pragma once

#include "host/machine/vm_event.hpp"

namespace vigil::machine {

enum class Pulse { well, silent, starved, stuck };

Pulse judge_pulse(const PulseTaken& taken);

/// What was seen, a sentence a line, for people.
std::vector<std::string> pulse_lines(const PulseTaken& taken);

}  // namespace vigil::machine
