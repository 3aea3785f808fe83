// Looks at a VMM from outside while its guest does not answer: what its threads got of the host's processors, and whether the virtual ones move.
//
// Shape:  look() takes one sample; fill() puts the figures since the oldest one kept (at most 20 s) into the event. Reads /proc only. Decides nothing.
// Source: proc(5) (stat, schedstat: time on a processor, time waiting for one, in ns), Documentation/accounting/psi.rst.
#pragma once

#include "host/machine/vm_event.hpp"
#include "host/vmm/vmm.hpp"
#include "shared/base/clock.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace vigil::daemon {

class PulseWatch {
  public:
    PulseWatch(std::int64_t vmm_pid, std::int64_t device_pid, const std::string& proc = "/proc");

    /// `processors`: as the VMM tells; empty: it does not.
    void look(MonoUs now, const std::vector<vmm::Processor>& processors);
    void fill(machine::PulseTaken& taken) const;

  private:
    struct Thread {
        std::uint64_t ran_ns = 0, waited_ns = 0;
        bool runnable = false;
    };
    struct Sample {
        MonoUs at_us = 0;
        std::map<std::string, Thread> threads;
    };
    std::map<std::string, Thread> read_threads() const;
    std::string state_of(const std::string& stat_path) const;

    std::string vmm_dir_, device_dir_, pressure_path_;
    std::deque<Sample> samples_;
    std::vector<vmm::Processor> processors_;
    std::uint64_t looks_stuck_ = 0;
};

}  // namespace vigil::daemon
