// What is counted over all VMs, from the events as they are stored.
//
// Shape:  observe() after each commit; text() at each scrape, with what the instances are now. Thread: the event thread.
#pragma once

#include "host/machine/vm_event.hpp"
#include "host/machine/vm_state.hpp"
#include "host/metrics/exposition.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace vigil::metrics {

/// The daemon at the moment of a scrape.
struct DaemonFigures {
    std::string version;
    std::uint64_t newest_event = 0;
    std::uint64_t black_boxes = 0, black_box_bytes = 0;
    std::uint64_t commit_failures = 0;
};

class VmMetrics {
  public:
    /// `state` is what the event led to.
    void observe(const machine::VmState& state, const machine::VmEvent& event);
    std::string text(const std::vector<const machine::VmState*>& instances, const DaemonFigures& daemon) const;

  private:
    void count_report(const machine::VmState& state, const machine::VmEvent& event, const machine::Reported& reported);
    void note_ready(const machine::VmState& state);
    void note_end(const machine::VmState& state);
    void write_instances(Exposition& out, const std::vector<const machine::VmState*>& instances) const;
    void write_boots(Exposition& out) const;
    void write_links(Exposition& out) const;
    void write_losses(Exposition& out) const;

    std::map<std::string, std::uint64_t> events_, crashes_, outcomes_, log_bytes_lost_, dropped_reports_;
    std::array<Histogram, std::size(protocol::all_stages)> stages_;
    Histogram ready_, readiness_lag_;
    std::unordered_map<InstanceId, RunNumber> ready_counted_;
    std::uint64_t links_up_ = 0, links_lost_ = 0, links_refused_ = 0, reports_by_link_ = 0, reports_by_console_ = 0, adopted_ = 0, halted_ = 0;
};

/// Resident memory, processor time, descriptors, as process_* families.
void write_process_figures(Exposition& out);

}  // namespace vigil::metrics
