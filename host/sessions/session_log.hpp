// The events of all sessions on the disk, and whose CLI VM is which: one SQLite file of its own.
//
// Errors: those of store::Database; Errc::io for a file that is not ours. An event of a newer version is left out and counted.
#pragma once

#include "host/sessions/session.hpp"
#include "host/store/database.hpp"
#include "host/vault/vault.hpp"

#include <map>
#include <string>
#include <vector>

namespace vigil::sessions {

struct UserKey {
  std::string owner, user;
  friend auto operator<=>(const UserKey&, const UserKey&) = default;
};

struct CliVm {
  InstanceId vm;
  std::string user;   // of the guest: whose home gets credentials
  friend bool operator==(const CliVm&, const CliVm&) = default;
};

class SessionLog {
public:
  /// Made (0600) when it is not there.
  static Result<SessionLog> open(const std::string& path);
  /// Numbers it. Durable on return.
  Result<void> append(Event& event);
  struct Kept {
    std::vector<Event> events;   // in order
    std::uint64_t skipped = 0;
  };
  Result<Kept> all() const;
  Result<void> forget(const std::string& session);
  Result<void> set_cli_vm(const UserKey& key, const CliVm& vm);
  Result<std::map<UserKey, CliVm>> cli_vms() const;
  /// Which version of a credential a VM was given last; 0: none.
  Result<void> note_delivery(const vault::EntryKey& of, const InstanceId& vm, std::uint64_t version);
  Result<std::uint64_t> delivered_version(const vault::EntryKey& of, const InstanceId& vm) const;

private:
  explicit SessionLog(store::Database database) : database_(std::move(database)) {}
  store::Database database_;
  std::uint64_t next_ = 1;
};

}  // namespace vigil::sessions
