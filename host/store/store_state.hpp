// What the store keeps in memory beside the file: who exists, and the marks of the streams in use. Private to this folder.
#pragma once

#include "host/store/checkpointer.hpp"
#include "host/store/database.hpp"
#include "host/store/event_places.hpp"
#include "host/store/store.hpp"
#include "host/store/streams.hpp"

#include <map>
#include <unordered_map>

namespace vigil::store {

struct KnownInstance {
  std::uint64_t row = 0;
  InstanceName name;
  bool removed = false;
};

/// The newest health report of a run that lives: the next one may take its place.
struct LatestHealth {
  machine::EventSeq event = 0;        // 0: none yet
  StreamKey stream;
  Seq seq = 0;
  UnixUs kept_unix_us = 0;            // of the last one that stays
  std::vector<protocol::Cause> causes;
  Gaps stands_for;                    // numbers of reports in whose place it is
  bool stays = false;                 // messages of the kernel
};

class StoreState {
public:
  static Result<std::unique_ptr<StoreState>> load(Database database);

  /// nullopt: there is none, and never was.
  Result<std::optional<KnownInstance>> instance(const InstanceId& id);
  /// A stream as it stands in the file; a new one when there is none.
  Result<Stream> stream(const StreamKey& key);
  /// Those in the file.
  Result<std::vector<StreamKey>> streams_of_boot(std::uint64_t instance, const std::string& boot8);
  Result<bool> is_origin_known(std::uint64_t instance, const std::string& boot8, Seq seq);
  bool is_name_taken(const InstanceName& name) const { return names.contains(name); }
  /// Marks of runs that are over are read again from the file when somebody asks.
  void forget_streams(std::uint64_t instance);

  Database database;
  std::unique_ptr<Checkpointer> checkpointer;                // none for a store that is only looked at
  EventPlaces places;
  std::map<std::uint64_t, Snapshot> snapshots_to_come;       // by instance row: written with the next batch
  machine::EventSeq next_event = 1;
  std::uint64_t next_instance_row = 1;
  std::unordered_map<InstanceId, KnownInstance> instances;   // all existing ones, and removed ones that were asked for
  std::unordered_map<InstanceName, InstanceId> names;        // of existing ones
  std::map<StreamKey, Stream> streams;
  std::unordered_map<std::uint64_t, LatestHealth> health;    // by instance row; of this process' life
  bool has_batch = false;
};

}  // namespace vigil::store
