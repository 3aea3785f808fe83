// The event log and its projections in one SQLite file: the daemon's only memory.
//
// Shape:  events are appended in batches, one transaction a batch, durable when commit() returns (WAL, synchronous=FULL). The tables of instances, streams,
//         partials and tokens are written in the same transaction. Reports are admitted once: (instance, run, epoch, boot, seq) from the link in order
//         against a high-water mark a stream; console digests below or beside it once each, replaced by the full report of the same identity.
// Thread: one, that of the daemon (the log is taken into the file on one of its own, which nobody sees); one process (the daemon holds the state directory's lock).
// Errors: open: Errc::unsupported (written by a newer version), Errc::io (cannot be read, corrupt: the message says which), never silently recreated.
//         events, history: Errc::io naming an event that is not as it was written.
//         commit: Errc::limit with "host.disk_full" in the message when the disk is full (is_disk_full()), Errc::io otherwise; nothing of the batch is then
//         stored or remembered, and a later commit may succeed.
#pragma once

#include "host/machine/event_codec.hpp"
#include "host/machine/vm_event.hpp"
#include "shared/base/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::store {

bool is_disk_full(const Error& error);

struct InstanceRow {
  InstanceId id;
  InstanceName name;
  machine::InstanceSpec spec;                   // without the values of secrets
  UnixUs created_unix_us = 0;
  std::optional<UnixUs> removed_unix_us;
  RunNumber last_run;                           // 0: never started
  friend bool operator==(const InstanceRow&, const InstanceRow&) = default;
};

/// What the store makes of an event that is offered to it.
struct Admission {
  enum class Kind {
    accepted,
    duplicate,                                  // stored already: do not reduce it; it may be acknowledged
    over_limit,                                 // too many console reports of one boot that no full report has replaced: not stored, do not reduce it
    conflict,                                   // Created with a name or id that exists; anything else of an unknown instance. Do not reduce it
  };
  Kind kind = Kind::accepted;
  std::uint64_t missing = 0;                    // reports between this one and the last of its stream that no `dropped` explains yet
};

/// A bearer token of the API; its text is nowhere.
struct TokenRow {
  std::string id, sha256, owner, scopes, label;
  UnixUs created_unix_us = 0;
  std::optional<UnixUs> expires_unix_us, revoked_unix_us;
  friend bool operator==(const TokenRow&, const TokenRow&) = default;
};

/// How an instance's state stood after an event (machine::encode_state): a replay may begin there.
struct Snapshot {
  machine::EventSeq seq = 0;
  std::string body;
};

class Store;
class StoreState;   // private to this folder
class BatchState;

/// Events that will be stored together. Dropping it uncommitted forgets them.
class Batch {
public:
  /// Numbers the event (seq) and fills Reported::replaces, when it is accepted.
  Admission add(machine::VmEvent& event);
  /// One durable transaction. The events are then in encoded(), in order. An empty batch costs nothing. After an error it may be tried again.
  Result<void> commit();
  const std::vector<std::shared_ptr<const machine::EncodedEvent>>& encoded() const;
  bool empty() const;

  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) = delete;
  ~Batch();

private:
  friend class Store;
  explicit Batch(std::unique_ptr<BatchState> state);
  std::unique_ptr<BatchState> state_;
};

struct EventQuery {
  machine::EventSeq after = 0;
  std::optional<InstanceId> instance;
  std::optional<RunNumber> run;                 // needs instance; events of run 0 come along
  std::size_t limit = 1000;
};

class Store {
public:
  /// Creates the file (mode 0600) when it is not there, migrates an older one forward.
  static Result<std::unique_ptr<Store>> open(const std::string& path);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// At most one batch exists at a time (a second aborts: it is our own bug).
  Batch begin();

  /// Existing instances by id, name or unique id prefix (at least 4 characters); then removed ones by id, newest with that name, or prefix.
  /// Errc::not_found; Errc::conflict when a prefix fits several.
  Result<InstanceRow> find_instance(std::string_view id_or_name) const;
  Result<std::vector<InstanceRow>> instances() const;          // existing ones, by creation
  Result<std::vector<InstanceRow>> removed_instances(std::size_t limit = 1000) const;   // newest removal first

  /// seq > query.after, oldest first.
  Result<std::vector<machine::EncodedEvent>> events(const EventQuery& query) const;
  /// All events of an instance after one of them, decoded, for replay. An event of a newer version is left out and counted in `skipped`.
  struct History { std::vector<machine::VmEvent> events; std::uint64_t skipped = 0; };
  Result<History> history(const InstanceId& instance, machine::EventSeq after = 0) const;

  /// One an instance, the newest. A snapshot that was damaged is none.
  Result<void> keep_snapshot(const InstanceId& instance, const Snapshot& snapshot);
  /// The same with the next batch, which has a flush of the disk anyway. A few at a time: when there is no room, with a later one.
  bool has_room_for_snapshot() const;
  Result<void> add_snapshot(const InstanceId& instance, Snapshot snapshot);
  Result<std::optional<Snapshot>> snapshot(const InstanceId& instance) const;
  machine::EventSeq oldest_seq() const;         // 0: none
  machine::EventSeq newest_seq() const;

  /// The high-water mark of a stream: everything up to it may be acknowledged. 0: nothing yet.
  Seq acknowledged(const InstanceId& instance, RunNumber run, Epoch epoch, const BootId& boot) const;

  /// The link token of a boot, as SHA-256 in hex, as the newest TokenBound has it.
  Result<std::optional<std::string>> token_sha256(const InstanceId& instance, RunNumber run, const BootId& boot) const;

  /// Tokens of the API. Durable on return; revoking twice is no error, of an unknown one Errc::not_found.
  Result<void> add_token(const TokenRow& token);
  Result<std::optional<TokenRow>> find_token(std::string_view id) const;
  Result<std::vector<TokenRow>> tokens() const;                // by creation, revoked ones too
  Result<void> revoke_token(std::string_view id, UnixUs at);

private:
  explicit Store(std::unique_ptr<StoreState> state);
  std::unique_ptr<StoreState> state_;
};

}  // namespace vigil::store
