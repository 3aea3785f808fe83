// Credentials of users, sealed: the only way to put one away and to see one again.
//
// Shape:  one credential for each owner, user and provider; a put replaces it. What is durable is durable when the call returns. The file and the key are made by the first put.
//         Each call that touches a credential says who asks; it is in the audit log before anything is revealed, and what cannot be logged does not happen.
// Errors: Errc::not_found; Errc::limit beyond max_credential_bytes, "host.disk_full"; Errc::io or Errc::denied with the reason when the file or the key was changed: then nothing is
//         revealed and nothing is written until that is mended.
// Thread: the event thread; a commit syncs the disk.
#pragma once

#include "host/vault/master_key.hpp"
#include "host/vault/secret.hpp"
#include "shared/base/clock.hpp"
#include "shared/base/result.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::vault {

inline constexpr std::size_t max_credential_bytes = 64 * 1024;

struct EntryKey {
  std::string owner, user, provider;  // the owner is the API's: empty, a name or uid:N
  friend auto operator<=>(const EntryKey&, const EntryKey&) = default;
};

/// What the provider's own tool said of it, and when.
struct Check {
  bool valid = false;
  UnixUs at_unix_us = 0;
  std::string how;
  friend bool operator==(const Check&, const Check&) = default;
};

/// All that may be shown of a credential.
struct Entry {
  EntryKey of;
  std::uint64_t version = 0;  // 1, 2, ...: raised by each put
  UnixUs stored_unix_us = 0;
  std::uint64_t bytes = 0;
  std::string sha256, shape, session;  // shape: names of its fields; session: which brought it, or empty
  std::string key;  // id of the key that it is sealed under
  std::optional<Check> check;
};

struct AuditRow {
  std::uint64_t seq = 0;
  UnixUs at_unix_us = 0;
  std::string actor, action;  // "store", "reveal", "deliver", "remove", "rotate", "rekey"
  EntryKey of;
  std::string outcome;  // "ok", or why not
};

struct VaultPlaces {
  std::string path;  // STATE/vault.db
  KeyPlaces keys;
  std::string old_key;  // --vault-old-key: the file that it may still be sealed under
};

struct Rotation {
  std::string before, now;  // key ids
  std::uint64_t credentials = 0;
};

class Vault {
public:
  Vault(VaultPlaces places, const Clock& clock);
  ~Vault();
  Vault(const Vault&) = delete;
  Vault& operator=(const Vault&) = delete;

  /// Opens and checks what there is; no error when there is none yet.
  Result<void> open();
  struct Origin {
    std::string shape, session;
  };
  Result<Entry> put(const EntryKey& of, const Secret& credential, const Origin& origin, const std::string& actor);
  /// `action` is what it is for: "reveal", "deliver".
  Result<Secret> reveal(const EntryKey& of, const std::string& action, const std::string& actor);
  Result<void> remove(const EntryKey& of, const std::string& actor);
  Result<void> note_check(const EntryKey& of, const Check& check);
  /// Something was not allowed: told in the audit log, too; of one actor once a minute, with how many there were: the log is bounded, and who may do nothing shall not push out what was done.
  Result<void> note_refusal(const EntryKey& of, const std::string& action, const std::string& actor, const std::string& why);
  Result<Rotation> rotate(const std::string& actor);

  Result<std::optional<Entry>> find(const EntryKey& of);
  Result<std::vector<Entry>> list();
  Result<std::vector<AuditRow>> audit(std::size_t limit = 1000);  // newest first

private:
  struct Opened;
  Result<Opened*> opened(MayMake may_make);
  Result<std::unique_ptr<Opened>> open_file(MayMake may_make) const;

  VaultPlaces places_;
  const Clock& clock_;
  std::unique_ptr<Opened> opened_;
  struct Refusals {
    UnixUs told_unix_us = 0;
    std::uint64_t count = 0;  // since
  };
  std::map<std::string, Refusals> refused_;  // by actor
};

}  // namespace vigil::vault
