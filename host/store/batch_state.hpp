// One batch under way: what it adds to the log, the tables and the store's memory once it is committed. Private to this folder.
#pragma once

#include "host/store/projection.hpp"

#include <vector>

namespace vigil::store {

class BatchState {
public:
  explicit BatchState(StoreState& store) : store_(store), projection_(store) { store_.has_batch = true; }
  BatchState(const BatchState&) = delete;
  BatchState& operator=(const BatchState&) = delete;
  ~BatchState() { store_.has_batch = false; }

  /// Errors are those of reading the file.
  Result<Admission> add(machine::VmEvent& event);
  Result<void> commit();
  bool empty() const { return encoded_.empty(); }
  const std::vector<std::shared_ptr<const machine::EncodedEvent>>& encoded() const { return encoded_; }
  void fail(Error error) { failed_ = std::move(error); }

private:
  struct LogRow { std::uint64_t instance = 0; Gaps stands_for; };

  machine::EventSeq next_seq() const { return store_.next_event + encoded_.size(); }
  Result<Admission> add_created(machine::VmEvent& event, const machine::InstanceSpec& spec);
  /// Numbers, encodes, projects.
  Result<void> append(machine::VmEvent& event, std::uint64_t row);

  /// Health comes every five seconds: one that says nothing new takes the place of the one before it, but for one a minute.
  Gaps thin_out_health(const machine::VmEvent& event, std::uint64_t row);
  const LatestHealth* latest_health(std::uint64_t row) const;
  /// Of a run that is not known to live every report stays.
  void note_life(const machine::VmEvent& event, std::uint64_t row);

  Result<Admission> add_reported(machine::VmEvent& event, std::uint64_t row);
  Result<Admission::Kind> admit_partial(Seq seq, const StreamKey& key);
  /// Fills Reported::replaces; a crash that was told already becomes ReportRepeated.
  Result<Admission::Kind> admit_full(machine::VmEvent& event, const StreamKey& key);
  /// A crash that an earlier boot could not send: told when that boot's stream or another boot has brought it.
  Result<bool> is_told(const Origin& origin, machine::EventSeq& replaced);

  Result<void> write();
  Result<void> write_events();
  Result<void> write_places();
  void keep();

  StoreState& store_;
  Projection projection_;
  std::optional<Error> failed_;
  std::vector<std::shared_ptr<const machine::EncodedEvent>> encoded_;
  std::vector<LogRow> rows_;                    // of each
  std::vector<std::pair<std::uint64_t, InstanceId>> new_rows_;
  std::map<std::uint64_t, LatestHealth> health_;
  std::set<std::uint64_t> dead_;                // rows of instances whose run is over
  std::vector<EventPlaces::Place> superseded_;  // to be deleted
};

}  // namespace vigil::store
