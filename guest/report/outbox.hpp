// Reports that the host has not committed yet: numbered, kept in order, bounded, sent again after each lost link.
//
// Shape:  append() gives a number; next_to_send() walks through what this link has not carried yet; acknowledge() forgets; rewind() starts a new link.
//         Over its limits the outbox gives up, in this order: service reports with a newer one of the same service (the newest counts them in `collapsed`),
//         traces, reports of other types, net, health. Health keeps the newest whenever it is unsent, with the kernel's messages of the older. Crash reports over their limit are numbered and counted by
//         cause, not kept. Whatever is given up is explained by a DroppedReport (kind, range, count); a range may hold numbers that did arrive.
// Units:  bytes are an estimate of the JSON. Free of I/O. Errors: none.
// Source: CONTRACTS "Control link", Outbox.
#pragma once

#include "shared/base/clock.hpp"
#include "shared/protocol/report.hpp"

#include <deque>
#include <map>
#include <set>
#include <vector>

namespace vigil::guest::report {

struct OutboxLimits {
  std::size_t reports = 512;
  std::size_t bytes = 1 << 20;        // crash reports not counted: they have a limit of their own
  std::size_t crashes = 32;           // of at most 128 KiB of tails each
};

/// What the next life of the agent needs to go on with the same numbers.
struct OutboxState {
  Seq next_seq = 1;
  Seq last_sent = 0;                  // on the link that is up now
  Seq highest_sent = 0;               // on any link
  std::vector<protocol::Report> reports;
  friend bool operator==(const OutboxState&, const OutboxState&) = default;
};

class Outbox {
public:
  Outbox(BootId boot, const Clock& clock, OutboxLimits limits = {});
  Outbox(BootId boot, const Clock& clock, OutboxState state, OutboxLimits limits = {});

  /// The number is next_seq() as it was before the call.
  Seq append(protocol::ReportBody body);
  /// Everything up to `upto`; numbers that were never sent are left alone, whatever the peer says.
  void acknowledge(Seq upto);
  void set_epoch(Epoch epoch) { epoch_ = epoch; }

  /// The oldest report that this link has not carried; nullptr: all sent. The pointer lives until the next call that changes the outbox.
  const protocol::Report* next_to_send() const;
  void mark_sent(Seq seq);
  /// A new link: everything unacknowledged goes again.
  void rewind() { last_sent_ = 0; }

  /// One of an earlier life of the agent in this boot, under the number that it has. Ignored when the number is not an earlier one, or kept here already.
  void restore(protocol::Report report);
  /// The crash reports that the host has not acknowledged, oldest first; the pointers live as next_to_send()'s.
  std::vector<const protocol::Report*> crashes() const;

  Seq next_seq() const { return next_seq_; }
  /// Everything before it the host has acknowledged.
  Seq first_unacked() const;
  std::size_t size() const { return entries_.size(); }
  std::uint64_t dropped() const { return dropped_; }
  OutboxState state() const;

private:
  struct Entry { protocol::Report report; std::size_t bytes = 0; };
  using Place = std::deque<Entry>::iterator;

  void keep(Seq seq, protocol::ReportBody body);
  void give_up(Place victim, const std::string& kind);
  void note_dropped(const std::string& kind, Seq first, Seq last, std::uint64_t count);
  void give_up_older_health(protocol::HealthReport& newer);
  void make_room();
  bool is_over_limits() const;
  void note_kept(const Entry& entry);
  void forget(const Entry& entry);    // it is about to go
  Place place_of(Seq seq);
  Place oldest_superseded_service();
  Place oldest_expendable();
  void count_in_newest(const protocol::ServiceReport& victim);

  BootId boot_;
  const Clock& clock_;
  OutboxLimits limits_;
  Epoch epoch_ = 0;
  Seq next_seq_ = 1, last_sent_ = 0, highest_sent_ = 0;
  std::deque<Entry> entries_;         // ascending by number
  std::map<ServiceName, Seq> newest_of_service_;   // kept ones
  std::set<Seq> superseded_;          // of entries_, service reports that have a newer one
  std::size_t bytes_ = 0;             // of all but crash reports
  std::size_t crashes_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace vigil::guest::report
