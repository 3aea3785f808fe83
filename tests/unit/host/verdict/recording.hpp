// Runs that the fault laboratory recorded, and what was said of them at any time.
#pragma once

#include "host/machine/vm_event.hpp"

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace vigil::machine::test {

struct RecordedEvent {
  std::string kind;                             // its type; of a finding on the console also what kind of finding
  std::set<std::string> codes;                  // of the causes in it
  VmEvent event;
  bool carries(const std::string& code) const { return codes.contains(code); }
};

using Missing = std::function<bool(const RecordedEvent&)>;

struct RecordedRow {
  std::string name, code, service;
  std::vector<RecordedEvent> events;

  void load();

  /// Every code that was the verdict or stood beside it, at any time; the derived `state` events are left out.
  std::set<std::string> said(const Missing& missing = {}) const;
  /// What the verdicts `unknown` said that they saw.
  std::set<std::string> seen(const Missing& missing = {}) const;
  /// With the service whose it is.
  bool names_its_cause() const;
  /// Some report holds the cause itself.
  bool is_reported() const;
  /// Kinds of events that can be evidence: not the run's own frame.
  std::set<std::string> kinds() const;
};

/// All that tests/golden/faultlab/rows.jsonl lists, without their events: load() brings those.
std::vector<RecordedRow> recorded_rows();
std::vector<RecordedEvent> load_recording(const std::string& name);

}  // namespace vigil::machine::test
