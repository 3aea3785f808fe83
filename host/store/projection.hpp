// What the events of one batch mean for the tables: a projection of the log, and of nothing else. Private to this folder.
//
// Shape:  apply() is the only way in, one event after the other in the order of their numbers; looks see what was applied over what is in the file. write() puts
//         it into the tables inside the caller's transaction, keep() into the store's memory once that is committed. Live batches and a rebuild from the log
//         take the same way; the result does not depend on where one batch ends and the next begins.
#pragma once

#include "host/store/store_state.hpp"

#include <map>
#include <set>
#include <variant>
#include <vector>

namespace vigil::store {

/// A report by which an earlier boot numbered it.
struct Origin {
  std::uint64_t instance = 0;
  std::string boot8;
  Seq seq = 0;
  friend auto operator<=>(const Origin&, const Origin&) = default;
};

/// The origin of a crash that an earlier boot could not send; nullopt: it is of this boot.
std::optional<Origin> foreign_origin(const protocol::CrashReport& crash, const StreamKey& own);

class Projection {
public:
  explicit Projection(StoreState& store) : store_(store) {}

  /// `row`: of the event's instance. `stands_for`: numbers of reports of the same stream that were in the log before it and have given way to it.
  Result<void> apply(const machine::VmEvent& event, std::uint64_t row, const Gaps& stands_for);

  Result<std::optional<KnownInstance>> instance(const InstanceId& id);
  bool is_name_taken(const InstanceName& name) const;
  /// Valid until keep().
  Result<Stream*> stream(const StreamKey& key);
  Result<std::vector<StreamKey>> streams_of_boot(std::uint64_t instance, const std::string& boot8);
  Result<bool> is_origin_known(const Origin& origin);

  Result<void> write();
  void keep();

private:
  struct NewInstance { std::uint64_t row; InstanceId id; machine::InstanceSpec spec; UnixUs at; };
  struct LastRun { std::uint64_t row; RunNumber run; };
  struct RemovedAt { std::uint64_t row; UnixUs at; };
  struct Token { std::uint64_t row; RunNumber run; BootId boot; std::string sha256; };
  using RowChange = std::variant<NewInstance, LastRun, RemovedAt, Token>;
  struct PartialChange { StreamKey stream; Seq seq; machine::EventSeq event; };   // event 0: replaced

  Result<void> apply_report(const machine::VmEvent& event, const machine::Reported& reported, std::uint64_t row, const Gaps& stands_for);
  Result<void> apply_full(const StreamKey& key, Seq seq);
  Result<void> apply_origin(const Origin& origin);

  Result<void> write_rows();
  Result<void> write_streams();
  Result<void> write_partials();

  StoreState& store_;
  std::map<InstanceId, KnownInstance> instances_;
  std::map<StreamKey, Stream> streams_;         // looked at or changed
  std::set<StreamKey> changed_;                 // of them
  std::vector<RowChange> rows_;
  std::vector<PartialChange> partials_;
  std::set<Origin> origins_;
};

}  // namespace vigil::store
