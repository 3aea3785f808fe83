// One batch under way: what it adds to the store's memory and file once it is committed. Private to this folder.
#pragma once

#include "host/store/store_state.hpp"

#include <set>
#include <variant>
#include <vector>

namespace vigil::store {

class BatchState {
public:
  explicit BatchState(StoreState& store) : store_(store) { store_.has_batch = true; }
  BatchState(const BatchState&) = delete;
  BatchState& operator=(const BatchState&) = delete;
  ~BatchState() { store_.has_batch = false; }

  /// Errors are those of reading the file.
  Result<Admission> add(machine::VmEvent& event);
  Result<void> commit();
  bool empty() const { return encoded_.empty() && streams_.empty(); }
  const std::vector<std::shared_ptr<const machine::EncodedEvent>>& encoded() const { return encoded_; }
  void fail(Error error) { failed_ = std::move(error); }

private:
  struct NewInstance { std::uint64_t row; InstanceId id; machine::InstanceSpec spec; UnixUs at; };
  struct LastRun { std::uint64_t row; RunNumber run; };
  struct RemovedAt { std::uint64_t row; UnixUs at; };
  using Projection = std::variant<NewInstance, LastRun, RemovedAt>;
  struct PartialChange { StreamKey stream; Seq seq; machine::EventSeq event; };   // event 0: replaced
  struct Origin { std::uint64_t instance; std::string boot8; Seq seq; friend auto operator<=>(const Origin&, const Origin&) = default; };

  machine::EventSeq next_seq() const { return store_.next_event + encoded_.size(); }
  Result<std::optional<KnownInstance>> instance(const InstanceId& id);
  bool is_name_taken(const InstanceName& name) const;
  Result<Stream*> stream(const StreamKey& key);
  Result<Admission> add_created(machine::VmEvent& event, const machine::InstanceSpec& spec);
  void project(const machine::VmEvent& event, const KnownInstance& instance);
  void append(machine::VmEvent& event, std::uint64_t row);
  /// Health comes every five seconds: one that says nothing new takes the place of the one before it, but for one a minute.
  void thin_out_health(const machine::VmEvent& event, std::uint64_t row);

  Result<Admission> admit(machine::Reported& reported, std::uint64_t row, RunNumber run);
  Result<Admission> admit_full(machine::Reported& reported, const StreamKey& key, Stream& stream);
  /// A crash that an earlier boot could not send: known when that boot's stream or another boot has brought it.
  Result<bool> take_origin(const protocol::CrashReport& crash, const StreamKey& key, machine::EventSeq& replaced);

  Result<void> write();
  Result<void> write_projections();
  Result<void> write_events();
  Result<void> write_streams();
  Result<void> write_partials();
  void keep();

  StoreState& store_;
  std::optional<Error> failed_;
  std::vector<std::shared_ptr<const machine::EncodedEvent>> encoded_;
  std::vector<std::uint64_t> rows_;             // of the instance of each
  std::map<InstanceId, KnownInstance> instances_;
  std::map<StreamKey, Stream> streams_;
  std::vector<Projection> projections_;
  std::vector<PartialChange> partials_;
  std::set<Origin> origins_;
  std::map<std::uint64_t, LatestHealth> health_;
  std::vector<machine::EventSeq> superseded_;   // to be deleted
};

}  // namespace vigil::store
